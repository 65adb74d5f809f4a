//! `gocred proxy`. To be written.

use crate::{
    cli::Proxy,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Proxy, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Internal, "not written yet"))
}
