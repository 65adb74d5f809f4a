//! What is written down of a release: who asked, what for, which account, and never a secret.
//!
//! It deliberately knows no argument of a command line and no query of a URL, which may hold secrets.
//! Of the secret itself it has a keyed hash, so that one can see that it was the same.

#[cfg(feature = "full")]
mod cef;
mod chain;
mod check;
#[cfg(feature = "full")]
mod entry;
mod line;
#[cfg(feature = "full")]
mod ocsf;
#[cfg(feature = "full")]
mod syslog;

#[cfg(feature = "full")]
pub use self::{cef::cef, entry::Entry, ocsf::ocsf, syslog::syslog};
pub use self::{
    chain::{Tail, WINDOW, tail},
    check::{Broken, Chain, Head},
    line::{Line, fingerprint},
};
use crate::core::origin::Origin;

/// Which way a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The helper, which let the agent answer.
    Agent,
    /// A command.
    Command,
    /// go's GOAUTH command.
    Goauth,
    /// The module proxy front, for the servers that it asks.
    #[cfg(feature = "full")]
    Goproxy,
    /// The helper itself.
    Helper,
    /// The loopback proxy, for its own login.
    Proxy,
}

impl Via {
    /// Returns the word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Command => "command",
            Self::Goauth => "goauth",
            #[cfg(feature = "full")]
            Self::Goproxy => "goproxy",
            Self::Helper => "helper",
            Self::Proxy => "proxy",
        }
    }
}

/// A process, as the system knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// That of its parent; 0 is none.
    pub parent: i32,
    /// When it started, in clock ticks since the system did: with the number it is one process only.
    pub start: u64,
    /// Its name, without path and arguments.
    pub name: String,
    /// Whether it has a terminal.
    pub has_terminal: bool,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// Which way.
    pub via: Via,
    /// The process that asked, and those above it, as far as they are known.
    pub chain: Vec<Process>,
    /// The program of the first of them.
    pub program: Option<String>,
}

/// What is released.
#[derive(Clone, Copy, Debug)]
pub struct Released<'a> {
    /// Who asked.
    pub caller: &'a Caller,
    /// Where it would go.
    pub origin: &'a Origin,
    /// The path that was asked for.
    pub path: Option<&'a str>,
    /// The account.
    pub user: &'a str,
    /// The keyed hash of the secret, by [`fingerprint`].
    pub mac: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// The rule that chose the account.
    pub rule: Option<&'a str>,
    /// How long it took to find it, in microseconds.
    pub micros: u64,
}
