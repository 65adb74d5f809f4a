//! GOPROXY: the list of module proxies that go asks.
//!
//! It deliberately forgets user names and passwords, and everything of a URL but its origin: this
//! module cannot be the reason why one is printed.

use crate::core::origin::Origin;

/// What go does when GOPROXY is set nowhere (GOROOT/go.env).
pub const DEFAULT: &str = "https://proxy.golang.org,direct";

/// One element of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where go asks.
    pub target: Target,
    /// When go goes on to the next element.
    pub next: Next,
}

/// Where go asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `direct`: the module's own host. What follows it is never used.
    Direct,
    /// `file://…`: a folder.
    File,
    /// Nothing that go accepts, such as a bare word; go ends with an error.
    Invalid,
    /// `off`: nowhere. What follows it is never used.
    Off,
    /// A module proxy.
    Proxy {
        /// Its origin as written; go matches credentials against this very text.
        origin: Origin,
        /// Whether the URL carried a user name. Go 1.24 and later then find no credential of
        /// GOAUTH or netrc for it.
        userinfo: Userinfo,
    },
}

/// Whether a URL carried a user name or password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Userinfo {
    /// It did not.
    Absent,
    /// It did.
    Present,
}

/// When go goes on to the next element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After a comma, and at the end: on 404 and 410.
    WhenMissing,
    /// After a pipe: on any error.
    OnError,
}

impl Next {
    /// Returns what stands between an element and the one that it goes on to.
    #[cfg(feature = "full")]
    pub(crate) fn separator(self) -> char {
        match self {
            Self::OnError => '|',
            Self::WhenMissing => ',',
        }
    }
}

/// Parses the value of GOPROXY as cmd/go's `modfetch.proxyList` does, up to and with the first
/// `direct` or `off`.
pub fn parse(list: &str) -> Vec<Element> {
    let mut elements = Vec::new();
    for (text, next) in pieces(list) {
        let target = target(text);
        let is_last = matches!(target, Target::Direct | Target::Off);
        elements.push(Element { target, next });
        if is_last {
            break;
        }
    }
    elements
}

/// Cuts a list at its separators: what stands there, trimmed, and what follows it. Empty ones are passed
/// over.
pub(crate) fn pieces(list: &str) -> impl Iterator<Item = (&str, Next)> {
    let pieces = list.split_inclusive([',', '|']).map(|piece| match piece.strip_suffix('|') {
        Some(text) => (text.trim(), Next::OnError),
        None => (piece.strip_suffix(',').unwrap_or(piece).trim(), Next::WhenMissing),
    });
    pieces.filter(|(text, _)| !text.is_empty())
}

/// Returns the origins of the proxies among the elements, in order.
pub fn origins(elements: &[Element]) -> impl Iterator<Item = &Origin> {
    elements.iter().filter_map(|element| match &element.target {
        Target::Proxy { origin, userinfo: _ } => Some(origin),
        Target::Direct | Target::File | Target::Invalid | Target::Off => None,
    })
}

fn target(text: &str) -> Target {
    match text {
        "direct" => return Target::Direct,
        "off" => return Target::Off,
        _ => {}
    }
    // `proxy.corp.example` means `https://proxy.corp.example`; a single word or a path does not.
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None if text.contains(['.', ':', '/'])
            && !text.contains(":/")
            && !text.starts_with('/') =>
        {
            ("https".to_owned(), text)
        }
        None => return Target::Invalid,
    };
    match scheme.as_str() {
        "file" => return Target::File,
        "http" | "https" => {}
        _ => return Target::Invalid,
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, _) = rest.split_at(end);
    let (userinfo, authority) = match authority.rsplit_once('@') {
        Some((_, authority)) => (Userinfo::Present, authority),
        None => (Userinfo::Absent, authority),
    };
    match Origin::new(&scheme, authority) {
        Ok(origin) => Target::Proxy { origin, userinfo },
        Err(_) => Target::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, Next, Target, Userinfo, origins, parse};

    fn proxies(list: &str) -> Vec<String> {
        origins(&parse(list)).map(ToString::to_string).collect()
    }

    #[test]
    fn the_list_ends_at_direct_or_off() {
        assert_eq!(proxies(DEFAULT), ["https://proxy.golang.org"]);
        assert_eq!(proxies("https://a,direct,https://b"), ["https://a"]);
        assert_eq!(proxies("https://a|off|https://b"), ["https://a"]);
        assert_eq!(parse("direct").first().map(|element| &element.target), Some(&Target::Direct));
        assert_eq!(parse(" , |"), []);
    }

    #[test]
    fn origins_are_as_written_and_without_userinfo() {
        for (list, origin) in [
            ("https://h:8443/go/", "https://h:8443"),
            ("https://h:443", "https://h:443"),
            (" https://Go.Corp.Test ", "https://Go.Corp.Test"),
            ("HTTPS://h", "https://h"),
            ("http://127.0.0.1:7408/x", "http://127.0.0.1:7408"),
            ("goproxy.corp.test/x", "https://goproxy.corp.test"),
            ("h:8443", "https://h:8443"),
            ("https://[::1]:8443?x", "https://[::1]:8443"),
            ("https://ana:p@ss@h/x", "https://h"),
        ] {
            assert_eq!(proxies(list), [origin], "{list}");
        }
        let kept = format!("{:?}", parse("https://ana:hunter2@h"));
        assert!(kept.contains("Present") && !kept.contains("hunter2") && !kept.contains("ana"));
    }

    #[test]
    fn what_go_does_not_accept_is_invalid_and_not_skipped() {
        for text in ["noproxy", "ftp://h", "/srv/mod", "https:/h", "https://", "https://h:0"] {
            let elements = parse(text);
            assert_eq!(elements.len(), 1);
            assert_eq!(elements[0].target, Target::Invalid, "{text}");
        }
        assert_eq!(parse("file:///srv/mod")[0].target, Target::File);
    }

    #[test]
    fn the_separator_decides_when_go_goes_on() {
        let next: Vec<_> =
            parse("https://a|https://b,direct").into_iter().map(|element| element.next).collect();
        assert_eq!(next, [Next::OnError, Next::WhenMissing, Next::WhenMissing]);
    }

    #[test]
    fn a_user_name_is_noticed() {
        let Target::Proxy { userinfo, .. } = parse("https://ana@h")[0].target.clone() else {
            panic!("a proxy")
        };
        assert_eq!(userinfo, Userinfo::Present);
    }
}
