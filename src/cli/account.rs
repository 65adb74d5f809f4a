//! What is stored, and for whom: `login`, `logout`, `status`, `switch`, `token`, `list` and `undo`.

use clap::Args;

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
