//! The names of the file: its tables, the keys of each, and the nearest known one to a mistyped one.

use std::fmt;

#[cfg(feature = "full")]
use crate::core::config::upstream;
use crate::core::{account, config::naming, origin::Origin};

/// A table of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// `[proxy]`
    Proxy,
    /// `[upstream."proxy.corp.example:8080"]`
    Upstream(String),
    /// `[git]`
    Git,
    /// `[goproxy]`
    GoProxy,
    /// `[host."git.corp.example"]`
    Host(String),
    /// `[store]`
    Store,
    /// `[secret_service]`
    SecretService,
    /// `[account."github.com/acme"]`
    Account(String),
    /// `[source."git.corp.example"]`
    Source(String),
    /// `[openbao]`
    OpenBao,
    /// `[oauth."ghe.corp.example"]`
    OAuth(String),
    /// `[audit]`
    Audit,
}

/// The names at the top of the file. `lock` is only known to the system's.
pub(super) const TABLES: &[&str] = &[
    "account",
    "audit",
    "git",
    "goproxy",
    "host",
    "oauth",
    "openbao",
    "proxy",
    "secret_service",
    "source",
    "store",
    "upstream",
];

/// Those whose tables have a name each.
pub(super) const NAMED: &[&str] = &["account", "host", "oauth", "source", "upstream"];

impl Table {
    /// Parses the name of a table that holds keys.
    pub(super) fn plain(name: &str) -> Option<Self> {
        match name {
            "audit" => Some(Self::Audit),
            "git" => Some(Self::Git),
            "goproxy" => Some(Self::GoProxy),
            "openbao" => Some(Self::OpenBao),
            "proxy" => Some(Self::Proxy),
            "secret_service" => Some(Self::SecretService),
            "store" => Some(Self::Store),
            _ => None,
        }
    }

    /// Parses the name of a table of [`NAMED`]; the error is what it must be.
    pub(super) fn named(parent: &str, name: &str) -> Result<Self, &'static str> {
        match parent {
            "account" => match account::name(name) {
                Some(rule) => Ok(Self::Account(rule.table())),
                None => Err("its name must be `host`, `host/path` or `host:port/path`"),
            },
            "host" | "oauth" | "source" if Origin::new("https", name).is_err() => {
                Err("its name must be `host` or `host:port`")
            }
            "host" => Ok(Self::Host(name.to_owned())),
            "oauth" => Ok(Self::OAuth(name.to_owned())),
            "source" => Ok(Self::Source(name.to_owned())),
            // Its settings are none of the helper's.
            #[cfg(not(feature = "full"))]
            _ => Ok(Self::Upstream(name.to_owned())),
            #[cfg(feature = "full")]
            _ => upstream::name(name)
                .map(Self::Upstream)
                .ok_or("its name must be `host:port` or `https://host:port`"),
        }
    }

    /// Returns the keys that it may hold, in alphabetical order.
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Git => &["store"],
            Self::GoProxy => &[
                "connect_timeout",
                "header_timeout",
                "idle_timeout",
                "listen",
                "min_rate",
                "tls_timeout",
                "upstream",
            ],
            Self::Host(_) => {
                &["allow_http", "ca", "client_cert", "client_key", "header", "username"]
            }
            Self::Proxy => &["access_log", "allow", "listen", "no_proxy", "pac", "upstream"],
            Self::Upstream(_) => &["ca", "client_cert", "client_key", "schemes", "spn", "username"],
            Self::Store => &["fallback", "file", "idle", "lifetime", "name", "remember"],
            Self::SecretService => &["session"],
            Self::Account(_) => &["username"],
            Self::Source(_) => &[
                "app_id",
                "cache",
                "command",
                "from",
                "installation",
                "key",
                "path",
                "secret",
                "user",
                "variable",
            ],
            Self::OpenBao => &[
                "address",
                "audience",
                "ca",
                "jwt_file",
                "jwt_variable",
                "login",
                "mount",
                "namespace",
                "role",
                "role_id_file",
                "secret_id_file",
                "token_file",
            ],
            Self::OAuth(_) => &["client_id", "client_secret_file", "metadata", "scopes"],
            Self::Audit => &["enabled", "file", "required"],
        }
    }

    /// Returns one of its keys.
    pub(super) fn key(&self, name: &str) -> Option<Key> {
        let name = self.keys().iter().copied().find(|known| *known == name)?;
        Some(Key { table: self.clone(), name })
    }

    /// Returns whether it also speaks for what another table names.
    pub(super) fn speaks_for(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Host(own), Self::Host(its)) | (Self::Upstream(own), Self::Upstream(its)) => {
                naming::speaks_for(own, its)
            }
            _ => false,
        }
    }

    /// Returns its path from the top of the file.
    pub(super) fn path(&self) -> Vec<&str> {
        let (parent, name) = self.names();
        [parent].into_iter().chain(name).collect()
    }

    /// Returns the name at the top of the file, and its own.
    fn names(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Account(name) => ("account", Some(name)),
            Self::Audit => ("audit", None),
            Self::Git => ("git", None),
            Self::GoProxy => ("goproxy", None),
            Self::Host(name) => ("host", Some(name)),
            Self::OAuth(name) => ("oauth", Some(name)),
            Self::OpenBao => ("openbao", None),
            Self::Proxy => ("proxy", None),
            Self::SecretService => ("secret_service", None),
            Self::Source(name) => ("source", Some(name)),
            Self::Store => ("store", None),
            Self::Upstream(name) => ("upstream", Some(name)),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names() {
            (parent, None) => f.write_str(parent),
            (parent, Some(name)) => write!(f, "{parent}.\"{name}\""),
        }
    }
}

/// A key of the file, such as `proxy.upstream` or `host."git.corp.example".ca`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Where it is.
    pub table: Table,
    /// Its own name.
    pub name: &'static str,
}

impl Key {
    /// Returns its path from the top of the file.
    pub(super) fn path(&self) -> Vec<&str> {
        let mut path = self.table.path();
        path.push(self.name);
        path
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.name)
    }
}

/// Says that a key is unknown, and which one was meant, or what there is.
pub(super) fn unknown(prefix: &str, key: &str, known: &[&str]) -> String {
    let hint = hint(prefix, key, known);
    let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("unknown key `{prefix}{shown}`{hint}")
}

/// The helper leaves that to the other commands.
#[cfg(not(feature = "full"))]
fn hint(_prefix: &str, _key: &str, _known: &[&str]) -> &'static str {
    "; run: gocred config show"
}

#[cfg(feature = "full")]
fn hint(prefix: &str, key: &str, known: &[&str]) -> String {
    let near = known.iter().map(|name| (distance(name, key), name)).min();
    match near {
        Some((0..=2, name)) => format!("; did you mean `{prefix}{name}`?"),
        _ => format!("; known here: {}", known.join(", ")),
    }
}

/// Returns the number of single-character edits between two short words (Levenshtein).
#[cfg(feature = "full")]
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let next = (diagonal + usize::from(a != *b)).min(last + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, next);
            last = next;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::{distance, unknown};

    #[test]
    fn near_words_are_near() {
        assert_eq!((distance("listen", "listen"), distance("listen", "lsiten")), (0, 2));
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn the_nearest_key_is_meant() {
        assert_eq!(
            unknown("", "client_kert", &["client_key", "client_cert"]),
            "unknown key `client_kert`; did you mean `client_cert`?"
        );
    }

    #[test]
    fn an_unknown_key_is_shown_without_what_moves_a_cursor() {
        assert_eq!(
            unknown("git.", "\u{1b}[2Jstor", &["store"]),
            "unknown key `git.[2Jstor`; known here: store"
        );
    }
}
