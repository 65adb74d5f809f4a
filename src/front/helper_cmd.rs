//! `gocred helper`: a question of git's that the small helper handed over, with the request on standard
//! input.

use crate::{
    cli::Helper,
    front::{self, Context, Outcome},
};

/// Runs the command.
pub fn run(_arguments: &Helper, _context: &Context) -> Outcome {
    Err(front::unbuilt("gocred helper"))
}
