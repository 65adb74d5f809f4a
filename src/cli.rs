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
    /// Show, check and pass on the record of what was released
    #[command(subcommand)]
    Audit(Audit),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Show the configuration that is in force
    #[command(subcommand)]
    Config(Config),
    /// Print the shell lines that send tools through the loopback proxy
    Env(Env),
    /// Give one command and what it starts their credentials, and leave nothing behind
    Exec(Exec),
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
    /// Say which account of a host answers, for all of it or below a path
    Switch(Switch),
    /// Print the secret of a host into a pipe
    Token(Token),
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

/// `gocred audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Write every record to standard output
    Export(AuditExport),
    /// Show the last records
    Tail(AuditTail),
    /// Check that no record was changed, removed or put in
    Verify,
}

/// `gocred audit export`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred audit export --format ocsf --since 24h\n  \
    gocred audit export --format syslog --since 2026-11-25")]
pub struct AuditExport {
    /// The format
    #[arg(long, value_enum, default_value_t = AuditFormat::Jsonl)]
    pub format: AuditFormat,
    /// Only what is not older: a span such as `24h` or `7d`, or a time in UTC such as `2026-11-25T22:10`
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
}

/// A format of `gocred audit export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// `ArcSight`'s Common Event Format
    #[value(help = "ArcSight's Common Event Format")]
    Cef,
    /// JSON lines, as they are
    Jsonl,
    /// Open Cybersecurity Schema Framework, a JSON object a line
    Ocsf,
    /// Syslog (RFC 5424)
    Syslog,
}

/// `gocred audit tail`
#[derive(Args, Debug)]
pub struct AuditTail {
    /// Go on showing what is released
    #[arg(long, short = 'f')]
    pub follow: bool,
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
    gocred login github.com --username acme-bot --for acme\n  \
    gocred login ghe.corp.example --device --client-id Iv1.0123456789abcdef\n  \
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
    /// Answer with this account below this path of the host only; the others keep the rest
    #[arg(long = "for", value_name = "PATH", requires = "username", conflicts_with = "proxy")]
    pub for_paths: Vec<String>,
    /// Read the token or password from standard input
    #[arg(long)]
    pub with_token: bool,
    /// Sign in with a code that you type on another device (OAuth 2)
    #[arg(long, conflicts_with_all = ["proxy", "with_token"])]
    pub device: bool,
    /// Sign in in a browser on this machine (OAuth 2 with PKCE)
    #[arg(long, conflicts_with_all = ["proxy", "with_token", "device"])]
    pub web: bool,
    /// What the host calls the application that you registered there
    #[arg(long, value_name = "ID", conflicts_with_all = ["proxy", "with_token"])]
    pub client_id: Option<String>,
    /// What to ask for, instead of what git needs; separated by blanks or commas
    #[arg(long, value_name = "SCOPES", conflicts_with_all = ["proxy", "with_token"])]
    pub scopes: Option<String>,
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
    /// Take its tokens back at the server first (OAuth 2)
    #[arg(long, conflicts_with = "proxy")]
    pub revoke: bool,
}

/// `gocred status`
#[derive(Args, Debug)]
pub struct Status {
    /// Only this host; of a URL, also which account it gets, and why
    #[arg(value_name = "URL")]
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

/// `gocred switch`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred switch github.com ana\n  \
    gocred switch github.com/acme acme-bot")]
pub struct Switch {
    /// `host[:port]`, or `host[:port]/path` for what is below that path only
    pub host: String,
    /// An account that is stored for the host
    pub account: String,
}

/// `gocred token`
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  gocred token git.corp.example | docker login --password-stdin …"
)]
pub struct Token {
    /// `host[:port]`, or `https://host[:port][/path]`
    pub host: String,
    /// The account, instead of the one that git and go would get
    #[arg(long, visible_alias = "user", value_name = "NAME")]
    pub username: Option<String>,
    /// Print it although standard output is not a pipe
    #[arg(long)]
    pub show: bool,
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

/// `gocred exec`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred exec -- go test ./...\n  \
    gocred exec -- sh -c 'git fetch && make'")]
pub struct Exec {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `gocred goauth`
#[derive(Args, Debug)]
pub struct Goauth {
    /// The URL that go was refused
    pub url: Option<String>,
}

/// `gocred import`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred import --dry-run\n  \
    gocred import\n  \
    gocred import gitconfig shell --yes\n  \
    gocred import --undo\n\n\
    `gocred import netrc` alone stores the entries and leaves the file as it is, unless --remove")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Import {
    /// Where to look, instead of everywhere
    #[arg(value_enum, value_name = "KIND")]
    pub kinds: Vec<ImportKind>,
    /// This file, instead of the usual ones of the one KIND
    #[arg(long, value_name = "FILE")]
    pub file: Option<std::path::PathBuf>,
    /// Show what would move, and change nothing
    #[arg(long, conflicts_with_all = ["undo", "yes", "remove"])]
    pub dry_run: bool,
    /// Move everything that can move, without asking
    #[arg(long, short = 'y', conflicts_with = "undo")]
    pub yes: bool,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["undo", "remove"])]
    pub json: bool,
    /// With `netrc` alone: take the entries out of the file once they are stored
    #[arg(long, conflicts_with = "undo")]
    pub remove: bool,
    /// Put the files back as they were before the last `import`
    #[arg(long)]
    pub undo: bool,
    /// With --undo: into files, too, that were changed since
    #[arg(long, requires = "undo")]
    pub force: bool,
}

/// Where `gocred import` looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// ~/.git-credentials, as git's helper `store` writes it
    GitCredentials,
    /// git's configuration: accounts in URLs, extraHeader, proxies
    Gitconfig,
    /// go's environment file: GOPROXY
    #[value(alias = "goproxy")]
    Goenv,
    /// ~/.netrc
    Netrc,
    /// ~/.npmrc
    Npmrc,
    /// pip.conf and ~/.pypirc
    Pip,
    /// What shells read at their start, and /etc/environment: `HTTPS_PROXY`, GOPROXY, tokens
    #[value(
        help = "What shells read at their start, and /etc/environment: HTTPS_PROXY, GOPROXY, tokens"
    )]
    Shell,
}

/// `gocred export`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred export git.corp.example --format netrc --output ./netrc\n  \
    gocred export --format git-credentials --yes | ssh box 'umask 077; cat > ~/.git-credentials'")]
pub struct Export {
    /// Only this host: `host[:port]`, or `https://host[:port]`
    pub host: Option<String>,
    /// The form
    #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
    pub format: ExportFormat,
    /// Write a new file, 0600, instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "show")]
    pub output: Option<std::path::PathBuf>,
    /// Show the secrets on the terminal
    #[arg(long)]
    pub show: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// What `gocred export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A URL a line, as git's helper `store` reads it
    GitCredentials,
    /// Everything that is stored
    #[value(help = "JSON: everything that is stored, proxies, too")]
    Json,
    /// A netrc
    Netrc,
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
