//! How other programs come to ask: `setup`, `env`, `exec`, `goauth`, `config`, `completions` and `man`.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

/// `gocred setup`
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Setup {
    /// Wire git: the credential helper
    #[arg(long)]
    pub git: bool,
    /// Wire go: GOAUTH, and GOPROXY where the module proxy front is installed
    #[arg(long)]
    pub go: bool,
    /// Send go to the module proxy front, also before it is installed
    #[arg(long)]
    pub goproxy: bool,
    /// Have the front ask a public module proxy (proxy.golang.org, goproxy.cn, goproxy.io) or a server of
    /// yours, which is asked what it is
    #[arg(long, value_name = "NAME|URL")]
    pub mirror: Option<String>,
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
    #[arg(long, conflicts_with_all = ["git", "go", "goproxy", "mirror", "private", "proxy"])]
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
