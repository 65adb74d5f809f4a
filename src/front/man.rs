//! `gocred man`. To be written.

use crate::{
    cli::Man,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Man, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}

/// Prints a completion script.
pub fn completions(_arguments: &crate::cli::Completions) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
