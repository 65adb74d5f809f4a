//! `gocred wrap`.

use crate::{
    core::fault::{Fault, Kind},
    front::Outcome,
};

/// Runs the command.
pub fn run(arguments: &crate::cli::Wrap, _context: &crate::front::Context) -> Outcome {
    Err(Fault::new(Kind::Internal, format!("not built yet: {arguments:?}")))
}
