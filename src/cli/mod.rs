//! The command line: types only, no behaviour.

mod account;
mod agent;
mod audit;
mod doctor;
mod migration;
mod proxy;
mod store;
mod wiring;

use clap::{Parser, Subcommand};

pub use self::{
    account::{List, Login, Logout, Status, Switch, Token, Undo},
    agent::{Agent, AgentRun, AgentStatus, Unlock},
    audit::{Audit, AuditExport, AuditFormat, AuditTail},
    doctor::{Doctor, Explain, Portal, Route, Why, Wrap},
    migration::{Export, ExportFormat, Import, ImportKind},
    proxy::{Proxy, ProxyPac, ProxyRun, ProxyStatus, ProxyTop, ServiceChange},
    store::{AddKey, AddedKey, RemoveKey, Store},
    wiring::{Completions, Config, ConfigShow, Env, EnvShell, Exec, Goauth, Man, Setup},
};

/// One login, and every private Go module, git repository and tool behind the corporate proxy works.
#[derive(Debug, Parser)]
#[command(name = "gocred", version, propagate_version = true)]
#[command(after_long_help = crate::front::man::reference())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run, inspect and stop the agent: the daemon without the loopback proxy
    #[command(subcommand)]
    Agent(Agent),
    /// Show, check and pass on the record of what was released
    #[command(subcommand)]
    Audit(Audit),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Show the configuration that is in force
    #[command(subcommand)]
    Config(Config),
    /// Say why a fetch fails, and mend it
    Doctor(Doctor),
    /// Print the shell lines that send tools through the loopback proxy
    Env(Env),
    /// Give one command and what it starts their credentials, and leave nothing behind
    Exec(Exec),
    /// Explain a code, or what a tool printed
    Explain(Explain),
    /// Write secrets out of the store, in clear, for another program
    Export(Export),
    /// Answer go as its GOAUTH command
    #[command(hide = true)]
    Goauth(Goauth),
    /// Move secrets from the files of other programs into the store
    Import(Import),
    /// List what is stored, without secrets
    List(List),
    /// Forget the keys and secrets that the agent holds
    Lock,
    /// Sign in to a host or to the corporate proxy, once
    Login(Login),
    /// Forget a host or a proxy
    Logout(Logout),
    /// Write the manual pages into a folder, or print the first one
    Man(Man),
    /// Find and open the portal of a network that wants a sign-in
    #[command(subcommand)]
    Portal(Portal),
    /// Run, inspect and stop the loopback proxy
    #[command(subcommand)]
    Proxy(Proxy),
    /// Say which proxy and which credential go, git and curl use for a URL, and why
    Route(Route),
    /// Wire git and go to gocred, and undo it
    Setup(Setup),
    /// Show each host: account, store, expiry, and what git and go will do
    Status(Status),
    /// Say what opens the encrypted file
    #[command(subcommand)]
    Store(Store),
    /// Say which account of a host answers, for all of it or below a path
    Switch(Switch),
    /// Print the secret of a host into a pipe
    Token(Token),
    /// Bring back what git or go erased
    Undo(Undo),
    /// Unlock the store, from a terminal, for every program
    Unlock(Unlock),
    /// Say what failed lately on the way through gocred
    Why(Why),
    /// Run a command, show where its time goes, and say why it fails
    Wrap(Wrap),
}
