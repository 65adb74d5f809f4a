//! `gocred goauth`. To be written.

use crate::{
    cli::Goauth,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Goauth, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
