//! The commands of the diagnosis.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `gocred doctor`
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred doctor\n  \
    gocred doctor git.corp.example/team/lib@v1.2.3\n  \
    gocred doctor https://git.corp.example/team/lib.git\n  \
    gocred doctor --fix")]
pub struct Doctor {
    /// `module[@version]` or a URL; without it, what the go.mod in this folder needs
    #[arg(value_name = "MODULE|URL")]
    pub target: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Send no packet: look at files and variables only
    #[arg(long)]
    pub offline: bool,
    /// Mend what can be mended
    #[arg(long)]
    pub fix: bool,
    /// With --fix: show what would be changed, and change nothing
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
    /// Without asking
    #[arg(long)]
    pub yes: bool,
    /// Take back what the last --fix changed, byte for byte
    #[arg(long, exclusive = true)]
    pub undo: bool,
    /// List every check by its code
    #[arg(long, exclusive = true)]
    pub list_checks: bool,
    /// Only this code; may be repeated
    #[arg(long, value_name = "CODE")]
    pub only: Vec<String>,
    /// Write a page that can be opened anywhere
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write an archive to attach to a ticket; nothing in it is secret
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Print the hosts and ports to ask the firewall team for
    #[arg(long)]
    pub egress_list: bool,
    /// Exit with 1 for a warning, too
    #[arg(long)]
    pub strict: bool,
}

/// `gocred route`
#[derive(Args, Debug)]
pub struct Route {
    /// A module or a URL
    #[arg(value_name = "MODULE|URL")]
    pub target: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred explain`
#[derive(Args, Debug)]
pub struct Explain {
    /// A code, such as `P02`; `-` reads what a tool printed from standard input
    #[arg(value_name = "CODE|-")]
    pub what: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred wrap`
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  gocred wrap -- go mod tidy")]
pub struct Wrap {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `gocred why`
#[derive(Args, Debug)]
pub struct Why {
    /// Only this host
    pub host: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred portal`
#[derive(Debug, Subcommand)]
pub enum Portal {
    /// Find the portal that stands in the way, and open it in a browser
    Open {
        /// A URL that should be reached; without it, what the go.mod in this folder needs
        target: Option<String>,
    },
}
