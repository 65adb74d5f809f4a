//! `gocred status --store`: which stores there are, and which is used.

use crate::{
    cli::Status,
    front::{self, Context, Outcome},
};

/// Runs the command.
pub(super) fn run(_arguments: &Status, _context: &Context) -> Outcome {
    Err(front::unbuilt("gocred status --store"))
}
