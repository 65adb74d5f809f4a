//! What is wrong with the configuration and the machine, seen without any packet.

use crate::core::doctor::{finding::Finding, machine::Machine, target::Target};

/// Returns every finding, in no particular order.
pub fn all(_target: &Target, _machine: &Machine) -> Vec<Finding> {
    Vec::new()
}
