//! `gocred login`. To be written.

use crate::{
    cli::Login,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Login, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
