//! `gocred renew-worker`: renews one login, whose locked file is standard input, and outlives who asked.

use crate::front::{self, Context, Outcome};

/// Runs the command.
pub fn run(_context: &Context) -> Outcome {
    Err(front::unbuilt("gocred renew-worker"))
}
