//! `gocred exec` where the kernel gives no hold on a tree of processes: it is refused.

use std::{ffi::OsString, process::ExitCode};

use crate::{
    cli::Exec,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// A word that nobody says here.
pub const KEEPER: &str = "exec-keeper";
/// Another one.
pub const COMMAND: &str = "exec-command";

/// Refuses the command.
pub fn run(_arguments: &Exec, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Usage, "`gocred exec` needs Linux, which ends a process with its parent"))
}

/// There is none.
pub fn keep(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(Kind::Usage.exit_code())
}

/// There is none.
pub fn command(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(Kind::Usage.exit_code())
}
