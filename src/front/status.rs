//! `gocred status`. To be written.

use crate::{
    cli::Status,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Status, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
