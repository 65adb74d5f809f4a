//! What is known of this machine before any packet is sent: variables, files, programs. It is data;
//! `sys::doctor` reads it, and tests write it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::core::{
    doctor::{
        gomod::{GoMod, Require},
        place::Place,
        private::Private,
        probe::Http,
        route::Login,
    },
    secret::SecretString,
};

/// The machine.
#[derive(Debug, Default)]
pub struct Machine {
    /// The variables that any of the tools reads, and every `GO*` and `GIT_*` one.
    pub variables: BTreeMap<String, Private>,
    /// The names of all other variables. Their values are not read.
    pub others: BTreeSet<String>,
    /// `$HOME`, where it is absolute.
    pub home: Option<PathBuf>,
    /// Who runs it.
    pub uid: u32,
    /// Whether there is a terminal at which somebody could be asked (`/dev/tty`).
    pub has_terminal: bool,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// The folder in which it was started.
    pub folder: PathBuf,
    /// go's environment file: `$GOENV`, else `<config>/go/env`. `None`: `GOENV=off`.
    pub goenv: Option<Text>,
    /// The go program.
    pub go: Option<Program>,
    /// What `go.env` of GOROOT says.
    pub goroot_env: Option<Text>,
    /// The git program.
    pub git: Option<Program>,
    /// Whose TLS it speaks, where that could be seen.
    pub git_library: Option<Library>,
    /// git's configuration as git reads it in `folder`, in order.
    pub git_config: Vec<GitValue>,
    /// What git says instead of its configuration: a file that it cannot read.
    pub git_error: Option<String>,
    /// The same two for the git that go starts, where they may differ.
    pub git_of_go: Option<(Vec<GitValue>, Option<String>)>,
    /// What counts for git in `folder` alone, where `git_config` is that of go's git.
    pub git_here: Vec<GitValue>,
    /// The files that set variables at login: `.profile`, `.bashrc`, `/etc/environment`, fish, zsh, …
    pub startup: Vec<Text>,
    /// The proxies that other programs' files name (apt, npm, pip), and the lines.
    pub neighbours: Vec<(&'static str, Private, Place)>,
    /// Which of these programs take any certificate, and the lines that say so.
    pub careless: Vec<(&'static str, Place)>,
    /// The netrc files: go's (`$NETRC`) and the others' (`~/.netrc`).
    pub netrc: BTreeMap<PathBuf, Netrc>,
    /// `/etc/resolv.conf`, `/etc/hosts`, `/etc/nsswitch.conf`.
    pub resolv: Text,
    /// See `resolv`.
    pub hosts: Text,
    /// See `resolv`.
    pub nsswitch: Text,
    /// The module that the folder belongs to.
    pub module: Option<Module>,
    /// What is known of the paths that the settings name, and of those that the tools use by default.
    pub paths: BTreeMap<PathBuf, Stat>,
    /// What was found on PATH of the programs that settings name (`git-credential-x`, `hg`, GOAUTH's).
    pub programs: BTreeMap<String, Option<PathBuf>>,
    /// What OpenSSH's files allow.
    pub ssh: Ssh,
    /// The clear-text files of `credential.helper = store`.
    pub git_credentials: BTreeMap<PathBuf, Netrc>,
    /// The file of each wanted module in the module cache, as `path@version`.
    pub cached: BTreeMap<String, Cached>,
    /// The files of the folders that GOPROXY names, as go opens them (`shelf`). What is not there is left out.
    pub shelves: BTreeMap<PathBuf, Http>,
    /// Lock files of the module cache that a process holds, and its number.
    pub locks: Vec<(PathBuf, u32)>,
    /// Who listens on the loopback addresses, by user.
    pub listeners: Vec<(std::net::SocketAddr, u32)>,
    /// What kind of machine within a machine this is: `a container`, `WSL`.
    pub within: Option<&'static str>,
    /// The newest file that was seen here, and its time, in seconds since 1970.
    pub newest: Option<(PathBuf, u64)>,
    /// Descriptors: the soft limit.
    pub descriptors: Option<u64>,
    /// gocred's own state.
    pub gocred: Gocred,
    /// The login of the URL on the command line. Every tool that is given the URL sends it; where it is a user
    /// alone, with an empty secret, they look up one of that user.
    pub asked_login: Option<Login>,
}

/// A text file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its path.
    pub path: PathBuf,
    /// Its lines; `None` where it is not there or cannot be read.
    pub lines: Option<Vec<Private>>,
}

/// A program of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of its version; empty where it says nothing.
    pub version: String,
}

/// A TLS library under git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Debian's choice: it takes old versions of TLS, and has no lists of OpenSSL's cipher suites.
    GnuTls,
    /// OpenSSL, and its like.
    OpenSsl,
}

/// OpenSSH's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssh {
    /// The folder that ssh takes for home: that of the account, whatever `HOME` says.
    pub home: Option<PathBuf>,
    /// Whether `ssh -G` tells what counts, and runs nothing (`ssh_files`).
    pub is_askable: bool,
}

/// A value of git's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitValue {
    /// The full key: section and name in lower case, the subsection as written.
    pub key: String,
    /// Its value; `true` where it stands without one.
    pub value: Private,
    /// Its file and line; [`Place::Variable`] for `GIT_CONFIG_*`.
    pub place: Place,
    /// Whether the repository itself says so.
    pub is_local: bool,
}

/// A netrc file.
#[derive(Clone, Debug, Default)]
pub struct Netrc {
    /// What is known of the file.
    pub stat: Stat,
    /// Its text; `None` where it cannot be read.
    pub text: Option<SecretString>,
}

/// A module's zip file in the module cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its path.
    pub zip: PathBuf,
    /// Whether it begins and ends as a zip file does.
    pub is_whole: bool,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// What is there.
    pub what: What,
    /// Permission bits.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// Whether this user may write there (`access(2)`): a read-only file system says no.
    pub is_writable: bool,
    /// Whether this user may read it.
    pub is_readable: bool,
    /// Whether its file system is mounted read-only.
    pub is_read_only: bool,
    /// Free bytes of its file system, for this user; `None` where it is not known.
    pub free: Option<u64>,
}

/// What a path is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Nothing is there.
    #[default]
    Missing,
    /// Something else.
    Other,
}

/// The module that a folder belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// `go.mod`.
    pub go_mod: Text,
    /// `go.sum`.
    pub go_sum: Text,
    /// `vendor/modules.txt`.
    pub vendor: Text,
    /// `go.work`, where one is in force.
    pub go_work: Option<Text>,
    /// The go.mod of the other folders that it uses.
    pub used: Vec<Text>,
    /// What its packages import. Read only where go.sum has no more than the go.mod of some module.
    pub imports: BTreeSet<String>,
}

impl Module {
    /// Whether a path is that of a module that is worked on here: go takes it from its folder.
    pub fn is_own(&self, path: &str) -> bool {
        let names = |text: &Text| {
            text.lines.iter().flatten().any(|line| {
                let mut words = line.raw().split_whitespace();
                words.next() == Some("module")
                    && words.next().is_some_and(|it| it.trim_matches('"') == path)
            })
        };
        names(&self.go_mod) || self.used.iter().any(names)
    }

    /// Whether go.sum has a line for a module, or for its go.mod.
    pub fn has_sum(&self, path: &str, version: &str, is_of_go_mod: bool) -> bool {
        let end = if is_of_go_mod { "/go.mod " } else { " " };
        let start = format!("{path} {version}{end}");
        self.go_sum.lines.iter().flatten().any(|line| line.raw().starts_with(&start))
    }

    /// Returns the modules of which go.sum has the go.mod alone, as go.mod requires them.
    pub fn half_summed(&self) -> Vec<Require> {
        let requires = GoMod::parse(&self.go_mod).requires.into_iter();
        let is_half = |it: &Require| {
            it.fetched.as_ref().is_some_and(|(path, version)| {
                self.has_sum(path, version, true) && !self.has_sum(path, version, false)
            })
        };
        requires.filter(is_half).collect()
    }

    /// Whether a package of a required module is imported here.
    pub fn is_imported(&self, module: &str) -> bool {
        let requires = GoMod::parse(&self.go_mod).requires;
        let is_below = |path: &str, module: &str| {
            path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.imports.iter().any(|import| {
            // A module within a module is another one.
            let own = requires.iter().filter(|it| is_below(import, &it.path));
            own.max_by_key(|it| it.path.len()).is_some_and(|it| it.path == module)
        })
    }

    /// Returns paths and versions of what is fetched for the requirements of go.mod, and of the go.mod of what a
    /// go.work uses, each once.
    pub fn fetched(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for file in std::iter::once(&self.go_mod).chain(&self.used) {
            for it in GoMod::parse(file).fetched() {
                if !self.is_own(&it.0) && !found.contains(&it) {
                    found.push(it);
                }
            }
        }
        found
    }
}

/// gocred's own state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gocred {
    /// Why its configuration cannot be read: message, and `file:line`.
    pub config: Option<(String, String)>,
    /// The loopback addresses of `[proxy] listen`, and of the front.
    pub listen: Vec<std::net::SocketAddr>,
    /// The address of the GOPROXY front, where one is configured.
    pub front: Option<std::net::SocketAddr>,
    /// Whether the daemon answers on its control socket; its version, where it says one.
    pub daemon: Option<String>,
    /// What the daemon reports: findings of the last while (`code`, sentence), for `why`.
    pub reported: Vec<(String, String)>,
    /// The store in use.
    pub store: &'static str,
    /// Why the store does not answer: code and message, as its own faults say it.
    pub store_error: Option<(&'static str, String)>,
    /// What is in its own folders, and those folders.
    pub files: Vec<(PathBuf, Stat)>,
    /// What a killed gocred left there: unfinished files, sockets on which nobody listens.
    pub left: Vec<PathBuf>,
    /// The origins whose accounts are stored, without secrets, and the marks `hidden`, `expired`.
    pub accounts: Vec<Account>,
}

/// An account that gocred keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its origin, as text.
    pub origin: String,
    /// Its user.
    pub user: String,
    /// Whether it is for a proxy.
    pub is_proxy: bool,
    /// Since when a rejected one is hidden, in seconds since 1970.
    pub hidden: Option<u64>,
    /// When it ends.
    pub expires: Option<u64>,
}

impl Machine {
    /// Returns the user that the URL on the command line names, whose login is looked up.
    pub fn asked_user(&self) -> Option<&str> {
        self.asked_login.as_ref().map(|login| login.user.as_str()).filter(|user| !user.is_empty())
    }

    /// Returns a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&Private> {
        self.variables.get(name).filter(|value| !value.raw().is_empty())
    }

    /// Returns what go takes for one of its variables, and where that stands: the environment, go's
    /// file, GOROOT's file (cmd/go `cfg.Getenv`). An empty variable does not override the file.
    pub fn go_setting(&self, name: &str) -> Option<(Private, Place)> {
        if let Some(value) = self.variable(name) {
            return Some((value.clone(), Place::Variable(name.to_owned())));
        }
        let files = [self.goenv.as_ref(), self.goroot_env.as_ref()];
        files.into_iter().flatten().find_map(|file| {
            let (line, value) = file.setting(name)?;
            Some((value, Place::File(file.path.clone(), Some(line))))
        })
    }

    /// Takes for git's configuration what go's git reads: go runs it in its cache (codehost `gitRepo.runGit`, vcs
    /// `Cmd.Ping`), where no repository of the user's counts, and no `includeIf` for one.
    pub fn go_to_cache(&mut self) {
        let Some((values, error)) = self.git_of_go.take() else { return };
        let here = std::mem::replace(&mut self.git_config, values);
        let is_new = |value: &GitValue| self.git_config.iter().all(|own| own.place != value.place);
        self.git_here = here.into_iter().filter(is_new).collect();
        self.git_error = error;
    }

    /// Returns the last value of a key of git's configuration.
    pub fn git_value(&self, key: &str) -> Option<&GitValue> {
        self.git_values(key).last()
    }

    /// Returns all values of a key of git's configuration, in order.
    pub fn git_values(&self, key: &str) -> impl DoubleEndedIterator<Item = &GitValue> {
        self.git_config.iter().filter(move |entry| entry.key == key)
    }

    /// Returns what is known of a path. What nobody looked at counts as missing.
    pub fn stat(&self, path: &Path) -> Stat {
        self.paths.get(path).copied().unwrap_or_default()
    }

    /// Returns the line of a startup file that sets a variable, the last one first.
    pub fn exported(&self, name: &str) -> Option<(Place, Private)> {
        self.startup.iter().rev().find_map(|file| {
            let (line, value) = file.exported(name)?;
            Some((Place::File(file.path.clone(), Some(line)), value))
        })
    }
}

impl Program {
    /// Returns the first two numbers of its version.
    pub fn numbers(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split('.').map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }
}

impl Text {
    /// Takes a text for a test, or from a reader.
    pub fn of(path: impl Into<PathBuf>, text: &str) -> Self {
        let lines = text.lines().map(Private::new).collect();
        Self { path: path.into(), lines: Some(lines) }
    }

    /// Returns the last line `NAME=value`, counted from 1, and its value.
    pub fn setting(&self, name: &str) -> Option<(usize, Private)> {
        let lines = self.lines.as_ref()?.iter().enumerate().rev();
        lines.into_iter().find_map(|(index, line)| {
            let value = line.raw().strip_prefix(name)?.strip_prefix('=')?;
            Some((index + 1, Private::of(name, value)))
        })
    }

    /// Returns the last line that sets a variable for programs, counted from 1: `export NAME=value`,
    /// `NAME=value`, `set -gx NAME value`.
    pub fn exported(&self, name: &str) -> Option<(usize, Private)> {
        let lines = self.lines.as_ref()?.iter().enumerate().rev();
        lines.into_iter().find_map(|(index, line)| {
            let line = line.raw().trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let line = line
                .strip_prefix("set -gx ")
                .or_else(|| line.strip_prefix("set -x "))
                .unwrap_or(line);
            let value = line.strip_prefix(name)?.strip_prefix(['=', ' '])?;
            Some((index + 1, Private::of(name, value.trim_matches(['"', '\''].as_slice()))))
        })
    }
}
