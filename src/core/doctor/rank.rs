//! Which finding is the root: the one from which the others follow.

use crate::core::doctor::finding::Finding;

/// Orders findings, the root first, and folds what follows from another under it.
pub fn rank(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| {
        (std::cmp::Reverse(finding.severity), finding.entry.layer, finding.entry.code)
    });
    findings
}
