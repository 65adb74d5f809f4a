//! `gocred logout`. To be written.

use crate::{
    cli::Logout,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Logout, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
