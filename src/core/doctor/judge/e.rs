//! Settings that only the network shows to be wrong.

use crate::core::doctor::{finding::Finding, judge::Case, leg::Leg};

/// Returns what a leg shows.
pub(super) fn findings(_leg: &Leg<'_>, _case: &Case<'_>) -> Vec<Finding> {
    Vec::new()
}
