//! `gocred agent` and `gocred unlock`.

use clap::{Args, Subcommand};

/// `gocred agent`
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Run the agent in the foreground
    Run(AgentRun),
    /// Start the agent in the background
    Start,
    /// Show what the agent holds, without secrets
    Status(AgentStatus),
    /// Stop the agent
    Stop,
}

/// `gocred agent run`
#[derive(Args, Debug)]
pub struct AgentRun {
    /// Leave the terminal that it was started from
    #[arg(long, hide = true)]
    pub in_background: bool,
}

/// `gocred agent status`
#[derive(Args, Debug)]
pub struct AgentStatus {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred unlock`
#[derive(Args, Debug)]
pub struct Unlock {
    /// Which store, instead of the chosen one
    #[arg(long, value_name = "NAME")]
    pub store: Option<String>,
}
