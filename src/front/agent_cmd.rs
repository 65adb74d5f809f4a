//! `gocred agent`: the daemon without the loopback proxy.

use crate::{
    cli::Agent,
    front::{self, Context, Outcome},
};

/// Runs the command.
pub fn run(arguments: &Agent, _context: &Context) -> Outcome {
    Err(front::unbuilt(match arguments {
        Agent::Run => "gocred agent run",
        Agent::Status(_) => "gocred agent status",
        Agent::Stop => "gocred agent stop",
    }))
}
