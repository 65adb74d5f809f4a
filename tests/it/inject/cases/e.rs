//! E: configuration and environment.

use crate::inject::case::Case;

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("E01")
            .about("GOPROXY=off")
            .env("GOPROXY", "off")
            .module("pub.corp.test/team/lib@v1.0.0"),
        Case::new("E01")
            .about("GOPROXY=off in go's file")
            .goenv("GOPROXY=off")
            .module("example.com/pub@v1.0.0")
            .fixed(),
    ]
}
