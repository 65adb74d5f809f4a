//! The names of the file: its tables, the keys of each, and the nearest known one to a mistyped one.

use std::fmt;

use crate::core::{
    config::{naming, upstream},
    origin::Origin,
};

/// A table of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// `[proxy]`
    Proxy,
    /// `[upstream."proxy.corp.example:8080"]`
    Upstream(String),
    /// `[git]`
    Git,
    /// `[host."git.corp.example"]`
    Host(String),
}

/// The names at the top of the file. `lock` is only known to the system's.
pub(super) const TABLES: &[&str] = &["git", "host", "proxy", "upstream"];

impl Table {
    /// Parses the name of a table that holds keys.
    pub(super) fn plain(name: &str) -> Option<Self> {
        match name {
            "git" => Some(Self::Git),
            "proxy" => Some(Self::Proxy),
            _ => None,
        }
    }

    /// Parses the name of a table of `[host.…]` or `[upstream.…]`; the error is what it must be.
    pub(super) fn named(parent: &str, name: &str) -> Result<Self, &'static str> {
        match parent {
            "host" if Origin::new("https", name).is_ok() => Ok(Self::Host(name.to_owned())),
            "host" => Err("its name must be `host` or `host:port`"),
            _ => upstream::name(name)
                .map(Self::Upstream)
                .ok_or("its name must be `host:port` or `https://host:port`"),
        }
    }

    /// Returns the keys that it may hold, in alphabetical order.
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Git => &["store"],
            Self::Host(_) => &["allow_http", "ca", "username"],
            Self::Proxy => &["access_log", "allow", "listen", "no_proxy", "pac", "upstream"],
            Self::Upstream(_) => &["ca", "client_cert", "client_key", "schemes", "spn", "username"],
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
        match self {
            Self::Git => vec!["git"],
            Self::Host(name) => vec!["host", name],
            Self::Proxy => vec!["proxy"],
            Self::Upstream(name) => vec!["upstream", name],
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git => f.write_str("git"),
            Self::Host(name) => write!(f, "host.\"{name}\""),
            Self::Proxy => f.write_str("proxy"),
            Self::Upstream(name) => write!(f, "upstream.\"{name}\""),
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
    let near = known.iter().map(|name| (distance(name, key), name)).min();
    let hint = match near {
        Some((0..=2, name)) => format!("; did you mean `{prefix}{name}`?"),
        _ => format!("; known here: {}", known.join(", ")),
    };
    let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("unknown key `{prefix}{shown}`{hint}")
}

/// Returns the number of single-character edits between two short words (Levenshtein).
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

#[cfg(test)]
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
