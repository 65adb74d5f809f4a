//! Which tables are about the same host or proxy, however its name is written: what one of them
//! locks is locked in all.
//!
//! It compares names, and resolves none. The names of tables stay as they are written, because
//! origins do.

use std::net::Ipv6Addr;

/// The name of a table of `[host.…]` or `[upstream.…]`, in one spelling.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    scheme: Option<String>,
    host: String,
    port: Option<String>,
}

impl Name {
    fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, authority)) => (Some(scheme.to_owned()), authority),
            None => (None, text.as_str()),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.to_owned())),
            _ => (authority, None),
        };
        let v6 = host.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>();
        // The dot of the root makes it no other host.
        let host = v6.map_or_else(|_| host.trim_end_matches('.').to_owned(), |v6| v6.to_string());
        Self { scheme, host, port }
    }
}

/// Returns whether a table also speaks for what another one names: `h` for `h:80`, `h:80` for
/// `http://h:80`, and any for itself.
pub(super) fn speaks_for(general: &str, special: &str) -> bool {
    let (general, special) = (Name::of(general), Name::of(special));
    let is_open = |general: &Option<String>, special: &Option<String>| {
        general.is_none() || general == special
    };
    general.host == special.host
        && is_open(&general.scheme, &special.scheme)
        && is_open(&general.port, &special.port)
}

/// Returns whether there is something that both tables speak for.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    speaks_for(one, other) || speaks_for(other, one)
}

#[cfg(test)]
mod tests {
    use super::{overlap, speaks_for};

    #[test]
    fn a_table_speaks_for_every_spelling_and_for_what_is_more_special() {
        for (general, special) in [
            ("h", "h"),
            ("h", "H:80"),
            ("h.", "h:80"),
            ("[::1]", "[0:0::1]:80"),
            ("p:80", "http://P:80"),
            ("p:80", "https://p.:80"),
        ] {
            assert!(speaks_for(general, special), "{general}: {special}");
            assert!(overlap(special, general), "{general}: {special}");
        }
        for (one, other) in [
            ("h", "hh"),
            ("h", "x.h"),
            ("h:80", "h:8080"),
            ("[::1]", "[::2]"),
            ("http://p:80", "https://p:80"),
        ] {
            assert!(!overlap(one, other), "{one}: {other}");
        }
        assert!(!speaks_for("h:80", "h") && !speaks_for("http://p:80", "p:80"));
    }
}
