//! `gocred list`. To be written.

use crate::{
    cli::List,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &List, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
