//! Machines on which nothing is wrong: the tools succeed, and the doctor must not report an error.

use super::case::Case;

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::healthy("a public module").module("example.com/pub@v1.0.0"),
        Case::healthy("a module of the company, by the proxy")
            .module("pub.corp.test/team/lib@v1.0.0"),
        Case::healthy("a module from its host").origin("pub.corp.test"),
        Case::healthy("a repository").repository("pub.corp.test"),
    ]
}
