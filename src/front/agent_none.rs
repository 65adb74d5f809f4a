//! `gocred agent` where there are no Unix sockets: there is none yet.

use crate::{
    cli::Agent,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Refuses the command.
pub fn run(_arguments: &Agent, _context: &Context) -> Outcome {
    Err(Fault::new(Kind::Usage, "the agent needs Unix sockets, which this system has not"))
}
