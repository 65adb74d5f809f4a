//! G: git, its helpers, other version control.

use crate::inject::case::Case;

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
