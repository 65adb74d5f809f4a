//! The command line: types only, no behaviour.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

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
    /// Print a completion script for a shell
    Completions(Completions),
    /// Show the configuration that is in force
    #[command(subcommand)]
    Config(Config),
    /// Print the shell lines that send tools through the loopback proxy
    Env(Env),
    /// Answer go as its GOAUTH command
    #[command(hide = true)]
    Goauth(Goauth),
    /// Move secrets from other places into the keyring
    #[command(subcommand)]
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
    /// Run, inspect and stop the loopback proxy
    #[command(subcommand)]
    Proxy(Proxy),
    /// Wire git and go to gocred, and undo it
    Setup(Setup),
    /// Show each host: account, store, expiry, and what git and go will do
    Status(Status),
    /// Say what opens the encrypted file
    #[command(subcommand)]
    Store(Store),
    /// Bring back what git or go erased
    Undo(Undo),
    /// Unlock the store, from a terminal, for every program
    Unlock(Unlock),
}

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

/// `gocred login`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred login git.corp.example\n  \
    gocred login https://goproxy.corp.example/api/go --username ana\n  \
    gocred login git.corp.example --username ci --with-token --setup < token-file\n  \
    gocred login --proxy http://proxy.corp.example:8080")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Login {
    /// `host[:port]`, or `https://host[:port][/path]`
    #[arg(required_unless_present = "proxy", conflicts_with = "proxy")]
    pub host: Option<String>,
    /// Sign in to a forward proxy; without URL, to the configured one
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub proxy: Option<String>,
    /// The account
    #[arg(long, visible_alias = "user", value_name = "NAME")]
    pub username: Option<String>,
    /// Read the token or password from standard input
    #[arg(long)]
    pub with_token: bool,
    /// Store without asking the host first
    #[arg(long)]
    pub no_verify: bool,
    /// The URL that is asked, without and with the credential
    #[arg(long, value_name = "URL", conflicts_with = "no_verify")]
    pub probe: Option<String>,
    /// Let secrets go to this http:// host in clear text
    #[arg(long)]
    pub allow_http: bool,
    /// Wire git and go afterwards, without asking
    #[arg(long)]
    pub setup: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Where secrets are kept from now on: keyring, file, kernel, agent or plaintext
    #[arg(long, value_name = "NAME")]
    pub store: Option<String>,
    /// Keep secrets in a file that every program of yours can read
    #[arg(long, requires = "store")]
    pub yes_plaintext: bool,
}

/// `gocred logout`
#[derive(Args, Debug)]
pub struct Logout {
    /// `host[:port]`, or `https://host[:port][/path]`
    #[arg(required_unless_present = "proxy", conflicts_with = "proxy")]
    pub host: Option<String>,
    /// Forget a forward proxy
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Only this account
    #[arg(long, visible_alias = "user", value_name = "NAME")]
    pub username: Option<String>,
}

/// `gocred status`
#[derive(Args, Debug)]
pub struct Status {
    /// Only this host
    pub host: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 for a warning, too
    #[arg(long)]
    pub strict: bool,
    /// Show which store is chosen, by whom, and how it is with it
    #[arg(long, conflicts_with_all = ["host", "strict"])]
    pub store: bool,
}

/// `gocred store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Let something else open the file, too; a new passphrase takes the place of the old one
    AddKey(AddKey),
    /// Keep something from opening the file
    RemoveKey(RemoveKey),
    /// Show where the file is, and what opens it
    Show,
}

/// `gocred store add-key`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred store add-key ssh\n  \
    gocred store add-key tpm\n  \
    gocred store add-key passphrase\n  \
    gocred store add-key command /usr/bin/pass show gocred")]
pub struct AddKey {
    /// What it is
    #[arg(value_enum)]
    pub kind: AddedKey,
    /// The comment of the SSH key, or the command with its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// What may open the encrypted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AddedKey {
    /// What an absolute program prints
    Command,
    /// The keyring of the system
    Keyring,
    /// A passphrase
    Passphrase,
    /// An SSH key (Ed25519 or RSA): of the agent, or a file in ~/.ssh without passphrase
    Ssh,
    /// The TPM of this machine
    Tpm,
}

/// `gocred store remove-key`
#[derive(Args, Debug)]
pub struct RemoveKey {
    /// Its name, as `gocred store show` says it
    pub name: String,
}

/// `gocred list`
#[derive(Args, Debug)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred undo`
#[derive(Args, Debug)]
pub struct Undo {
    /// Only this host
    pub host: Option<String>,
}

/// `gocred setup`
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Setup {
    /// Wire git: the credential helper
    #[arg(long)]
    pub git: bool,
    /// Wire go: GOAUTH
    #[arg(long)]
    pub go: bool,
    /// Add a pattern to GOPRIVATE, such as `git.corp.example`
    #[arg(long, value_name = "PATTERN")]
    pub private: Vec<String>,
    /// Send git through the loopback proxy
    #[arg(long)]
    pub proxy: bool,
    /// Show the change and make none
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Restore every file as it was before `setup`
    #[arg(long, conflicts_with_all = ["git", "go", "private", "proxy"])]
    pub undo: bool,
}

/// `gocred env`
#[derive(Args, Debug)]
pub struct Env {
    /// The shell to write for
    #[arg(long, value_enum, default_value_t = EnvShell::Sh)]
    pub shell: EnvShell,
    /// Print the lines that take the variables away again
    #[arg(long)]
    pub unset: bool,
}

/// A shell that `gocred env` writes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EnvShell {
    /// fish
    Fish,
    /// `PowerShell`
    #[value(help = "PowerShell")]
    Powershell,
    /// sh, bash, zsh
    Sh,
}

/// `gocred goauth`
#[derive(Args, Debug)]
pub struct Goauth {
    /// The URL that go was refused
    pub url: Option<String>,
}

/// `gocred import`
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Move the entries of a netrc file into the keyring
    Netrc(ImportNetrc),
}

/// `gocred import netrc`
#[derive(Args, Debug)]
pub struct ImportNetrc {
    /// The file, instead of $NETRC or ~/.netrc
    #[arg(long, value_name = "FILE")]
    pub file: Option<std::path::PathBuf>,
    /// Remove the entries from the file once they are stored
    #[arg(long, conflicts_with = "undo")]
    pub remove: bool,
    /// Put the file back as it was before `--remove`
    #[arg(long)]
    pub undo: bool,
}

/// `gocred proxy`
#[derive(Debug, Subcommand)]
pub enum Proxy {
    /// Show what the PAC file answers for a URL, and why
    Pac(ProxyPac),
    /// Run PAC files for the proxy, which starts it
    #[command(hide = true)]
    PacEngine,
    /// Install the proxy as a service of your session, and start it
    Install(ServiceChange),
    /// Make the running proxy read its configuration anew; its tunnels stay
    Reload,
    /// Run the proxy in the foreground
    Run(ProxyRun),
    /// Start the installed service
    Start,
    /// Show what the running proxy does
    Status(ProxyStatus),
    /// Stop the running proxy, and the service
    Stop,
    /// Stop the service and remove it
    Uninstall(ServiceChange),
}

/// `gocred proxy install`, `gocred proxy uninstall`
#[derive(Args, Debug)]
pub struct ServiceChange {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `gocred proxy pac`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred proxy pac git.corp.example\n  \
    gocred proxy pac https://git.corp.example:8443 --pac ./proxy.pac\n  \
    gocred proxy pac http://mirror.corp.example/debian --pac wpad")]
pub struct ProxyPac {
    /// An http:// or https:// URL, `host`, or `host:port`
    #[arg(value_name = "URL")]
    pub target: String,
    /// Ask this one instead of the configured one: a file, a URL, `desktop` or `wpad`
    #[arg(long, value_name = "SOURCE")]
    pub pac: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred proxy run`
#[derive(Args, Debug)]
pub struct ProxyRun {
    /// A loopback address and port; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<String>,
    /// A corporate proxy, `http://host:port`, or DIRECT; in order
    #[arg(long, value_name = "URL")]
    pub upstream: Vec<String>,
}

/// `gocred proxy status`
#[derive(Args, Debug)]
pub struct ProxyStatus {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the URL of the status page, with its token, for a browser of yours
    #[arg(long, conflicts_with = "json")]
    pub url: bool,
}

/// `gocred config`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print every value that is in force, as TOML
    Show(ConfigShow),
}

/// `gocred config show`
#[derive(Args, Debug)]
pub struct ConfigShow {
    /// Say of each value which file and line it comes from
    #[arg(long)]
    pub origin: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "origin")]
    pub json: bool,
}

/// `gocred completions`
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// `gocred man`
#[derive(Args, Debug)]
pub struct Man {
    /// The folder; without it, gocred(1) goes to standard output
    pub folder: Option<std::path::PathBuf>,
}
