//! What stands in GOPROXY, as upstreams of the front that takes its place.
//!
//! It deliberately copies no account: whose URLs carry one is told by origin, and the secret stays where
//! it is.

use std::net::SocketAddr;

use thiserror::Error;

use crate::core::{
    goproxy::pieces,
    modproxy::list::{self, Base, Element, Next, Target, Upstreams},
    origin::Origin,
};

/// What a value of GOPROXY is for the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It names the front already.
    Front,
    /// Module proxies, which the front can ask.
    Upstreams(Kept),
}

/// Module proxies, without accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Them, up to the first `direct` or `off`.
    pub list: Upstreams,
    /// Whose URLs carried an account; its own URL without it.
    pub accounts: Vec<String>,
    /// Whether the value was in quotes, which go takes for a part of it.
    pub is_quoted: bool,
}

/// Why a GOPROXY is left alone.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Alone {
    /// `direct` alone.
    #[error("it is `direct`: go asks the host of every module itself, and no module proxy")]
    Direct,
    /// A folder is among them, which only go can read.
    #[error("it names a folder (`file://`), which go reads itself and no proxy can")]
    File,
    /// go refuses it.
    #[error("go refuses it: {0}")]
    Invalid(#[from] list::Error),
    /// `off` alone.
    #[error("it is `off`: go downloads nothing")]
    Off,
}

/// Reads a GOPROXY that is not empty. `front` is where the front listens.
pub fn read(value: &str, front: SocketAddr) -> Result<Found, Alone> {
    let (value, is_quoted) = unquoted(value.trim());
    let (mut text, mut accounts) = (String::with_capacity(value.len()), Vec::new());
    for (element, next) in pieces(value) {
        if element.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:")) {
            return Err(Alone::File);
        }
        let (url, has_account) = without_account(element);
        if has_account {
            accounts.push(url.clone());
        }
        text.push_str(&url);
        text.push(next.separator());
        if matches!(element, "direct" | "off") {
            break;
        }
    }
    let list = Upstreams::parse(&text)?;
    match list.elements().first().map(|element| &element.target) {
        Some(Target::Direct) => return Err(Alone::Direct),
        Some(Target::Off) => return Err(Alone::Off),
        Some(Target::Proxy(_)) | None => {}
    }
    if list.proxies().any(|base| is_front(&base.origin, front)) {
        return Ok(Found::Front);
    }
    Ok(Found::Upstreams(Kept { list, accounts, is_quoted }))
}

/// Returns what go's GOPROXY is to be: the front, and behind it what the list leaves to go. The comma is
/// enough even where the list has a pipe: the front says 404 where go is to go on.
pub fn value(front: SocketAddr, list: &Upstreams) -> String {
    let rest = match list.elements().last().map(|element| &element.target) {
        Some(Target::Direct) => ",direct",
        Some(Target::Off) => ",off",
        Some(Target::Proxy(_)) | None => "",
    };
    format!("http://{front}{rest}")
}

/// Returns a list as it is written.
pub fn text(list: &Upstreams) -> String {
    joined(list.elements())
}

/// Returns elements as they are written.
pub fn joined(elements: &[Element]) -> String {
    let mut text = String::new();
    let mut before: Option<Next> = None;
    for element in elements {
        text.extend(before.map(Next::separator));
        match &element.target {
            Target::Direct => text.push_str("direct"),
            Target::Off => text.push_str("off"),
            Target::Proxy(Base { origin, path }) => {
                text.push_str(&origin.to_string());
                text.push_str(path);
            }
        }
        before = Some(element.next);
    }
    text
}

/// Whether an origin is where the front listens.
fn is_front(origin: &Origin, front: SocketAddr) -> bool {
    let is_loopback = matches!(origin.host(), "127.0.0.1" | "[::1]" | "localhost");
    let is_its = origin.port().is_some_and(|port| port == front.port());
    origin.scheme() == "http" && is_loopback && is_its
}

fn unquoted(value: &str) -> (&str, bool) {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return (inner, true);
        }
    }
    (value, false)
}

/// Cuts an account out of a URL. What cannot be cut out safely is left, and is refused as a list then.
fn without_account(url: &str) -> (String, bool) {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((_, host)) = authority.rsplit_once('@') else { return (url.to_owned(), false) };
    let scheme = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    (format!("{scheme}{host}{path}"), true)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{Alone, Found, read, text, value};

    fn front() -> SocketAddr {
        "127.0.0.1:7408".parse().unwrap()
    }

    fn kept(list: &str) -> super::Kept {
        match read(list, front()) {
            Ok(Found::Upstreams(kept)) => kept,
            other => panic!("{list}: {other:?}"),
        }
    }

    #[test]
    fn the_front_stands_for_the_list_and_what_it_leaves_to_go_stays_behind_it() {
        for (before, upstream, after) in [
            ("https://proxy.golang.org,direct", "https://proxy.golang.org,direct", ",direct"),
            (" https://a.test/go/ |b.test, off", "https://a.test/go|https://b.test,off", ",off"),
            ("https://a.test", "https://a.test", ""),
            ("https://a.test|direct,https://b.test", "https://a.test|direct", ",direct"),
        ] {
            let kept = kept(before);
            assert_eq!(text(&kept.list), upstream);
            assert_eq!(value(front(), &kept.list), format!("http://127.0.0.1:7408{after}"));
            assert!(kept.accounts.is_empty() && !kept.is_quoted);
        }
    }

    #[test]
    fn an_account_is_told_by_its_url_and_not_copied() {
        let kept = kept("https://ana:p@ss@go.test:8443/x|ci:S3cret@h.test/y,direct");
        assert_eq!(kept.accounts, ["https://go.test:8443/x", "h.test/y"]);
        assert_eq!(text(&kept.list), "https://go.test:8443/x|https://h.test/y,direct");
        let all = format!("{kept:?}");
        assert!(!all.contains("S3cret") && !all.contains("p@ss") && !all.contains("ana"), "{all}");
    }

    #[test]
    fn quotes_are_not_part_of_the_list() {
        for quoted in ["\"https://a.test,direct\"", "'https://a.test,direct'"] {
            let kept = kept(quoted);
            assert!(kept.is_quoted);
            assert_eq!(text(&kept.list), "https://a.test,direct");
        }
    }

    #[test]
    fn a_list_with_the_front_in_it_is_wired() {
        for list in [
            "http://127.0.0.1:7408,direct",
            "http://localhost:7408",
            "https://a.test,http://[::1]:7408/,off",
        ] {
            assert_eq!(read(list, front()), Ok(Found::Front), "{list}");
        }
        kept("http://127.0.0.1:3000,direct");
        kept("https://127.0.0.1:7408");
    }

    #[test]
    fn what_no_front_can_stand_for_is_left_alone() {
        assert_eq!(read("off", front()), Err(Alone::Off));
        assert_eq!(read("'direct'", front()), Err(Alone::Direct));
        assert_eq!(read("direct,https://a.test", front()), Err(Alone::Direct));
        assert_eq!(read("https://a.test,FILE:///srv", front()), Err(Alone::File));
        for list in
            ["dirct", "ftp://h", " , ", "https://a.test?x=1", "\"https://a.test", "https://a b"]
        {
            assert!(matches!(read(list, front()), Err(Alone::Invalid(_))), "{list}");
        }
        let error = read("https://ana:hunter2@h h", front()).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
