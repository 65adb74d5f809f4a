//! `gocred agent` where there are no Unix sockets: there is none yet.

use crate::{
    cli::Agent,
    core::fault::{Fault, Kind},
    front::{Context, Outcome},
};

/// Refuses the command.
pub fn run(_arguments: &Agent, context: &Context) -> Outcome {
    start(context).map(|()| crate::front::Answer::Yes)
}

/// Refuses to start one.
pub(crate) fn start(_context: &Context) -> Result<(), Fault> {
    Err(Fault::new(Kind::Usage, "the agent needs Unix sockets, which this system has not"))
}

/// There is none that would hold anything.
pub(crate) fn lock(_context: &Context) -> Result<bool, Fault> {
    Ok(false)
}
