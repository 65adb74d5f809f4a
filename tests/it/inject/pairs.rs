//! Two independent failures at once: one of them is the root, the other is named, too.

use super::case::Case;

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
