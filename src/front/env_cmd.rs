//! `gocred env`. To be written.

use crate::{
    cli::Env,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Env, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
