//! `gocred unlock` and `gocred lock`: the keys of the stores, for every program.

use crate::{
    cli::Unlock,
    front::{self, Context, Outcome},
};

/// Runs `gocred unlock`.
pub fn run(_arguments: &Unlock, _context: &Context) -> Outcome {
    Err(front::unbuilt("gocred unlock"))
}

/// Runs `gocred lock`.
pub fn lock(_context: &Context) -> Outcome {
    Err(front::unbuilt("gocred lock"))
}
