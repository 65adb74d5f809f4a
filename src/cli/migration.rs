//! `gocred import` and `gocred export`.

use clap::{Args, ValueEnum};

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
