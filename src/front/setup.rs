//! `gocred setup`. To be written.

use crate::{
    cli::Setup,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Setup, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
