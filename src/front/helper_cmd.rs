//! `gocred helper`: a question of git's that the small helper handed over, with the request on standard
//! input. It is for that helper, and no command for people: the command line does not know it.

use std::{ffi::OsStr, process::ExitCode};

use crate::front::git;

/// Runs the command for its operation.
pub fn run(operation: Option<&OsStr>) -> ExitCode {
    git::helper(operation)
}
