//! `gocred undo`. To be written.

use crate::{
    cli::Undo,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Undo, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
