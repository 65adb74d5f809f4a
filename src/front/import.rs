//! `gocred import`. To be written.

use crate::{
    cli::Import,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Import, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
