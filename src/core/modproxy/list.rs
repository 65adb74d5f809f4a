//! The module proxies behind the front: a list in GOPROXY's own grammar, with their paths.
//!
//! It holds no secret: a URL with a user name or password is an error, and says where they belong.

use thiserror::Error;

pub use crate::core::goproxy::Next;
use crate::core::{
    goproxy,
    origin::{self, Origin},
};

/// The list. What follows `direct` or `off` is not in it, because go never uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams(Vec<Element>);

/// One element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where to ask.
    pub target: Target,
    /// When to go on to the next element.
    pub next: Next,
}

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `direct`: go asks the module's own host.
    Direct,
    /// `off`: nowhere.
    Off,
    /// A module proxy.
    Proxy(Base),
}

/// Where a module proxy is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Base {
    /// Its origin.
    pub origin: Origin,
    /// The path before that of the protocol: empty, or with a slash first and none last.
    pub path: String,
}

/// What is wrong with a list.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It names nobody.
    #[error("it names no module proxy")]
    Empty,
    /// An element is no URL that can be used.
    #[error("element {0} is neither an http:// or https:// URL, nor `direct` or `off`")]
    Element(usize, #[source] Option<origin::Error>),
    /// A URL has a query or a fragment.
    #[error("element {0} has a `?` or `#`")]
    Query(usize),
    /// A URL has a user name or password, which is not repeated here.
    #[error("element {0} has a user name or password in it; store it with `gocred login` instead")]
    Userinfo(usize),
}

impl Upstreams {
    /// Parses a list: commas and pipes as in GOPROXY (cmd/go `modfetch.proxyList`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut elements = Vec::new();
        for (number, (text, next)) in (1..).zip(goproxy::pieces(text)) {
            let target = match text {
                "direct" => Target::Direct,
                "off" => Target::Off,
                url => Target::Proxy(base(url, number)?),
            };
            let is_last = !matches!(target, Target::Proxy(_));
            elements.push(Element { target, next });
            if is_last {
                break;
            }
        }
        if elements.is_empty() { Err(Error::Empty) } else { Ok(Self(elements)) }
    }

    /// Returns the elements in order.
    pub fn elements(&self) -> &[Element] {
        &self.0
    }

    /// Returns the proxies in order.
    pub fn proxies(&self) -> impl Iterator<Item = &Base> {
        self.0.iter().filter_map(|element| match &element.target {
            Target::Proxy(base) => Some(base),
            Target::Direct | Target::Off => None,
        })
    }
}

fn base(url: &str, number: usize) -> Result<Base, Error> {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Error::Userinfo(number));
    }
    if url.contains(['?', '#']) {
        return Err(Error::Query(number));
    }
    // As go does: `proxy.corp.example` means `https://proxy.corp.example`.
    let whole = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
    let is_bare = !url.contains("://") && !url.contains(['.', ':']);
    let parsed = Origin::from_url(&whole);
    let (origin, path) = parsed.map_err(|error| Error::Element(number, Some(error)))?;
    if is_bare || !matches!(origin.scheme(), "http" | "https") {
        return Err(Error::Element(number, None));
    }
    let path = path.trim_end_matches('/').to_owned();
    Ok(Base { origin, path })
}

#[cfg(test)]
mod tests {
    use super::{Error, Next, Target, Upstreams};

    #[test]
    fn a_list_is_read_as_go_reads_it() {
        let list = Upstreams::parse(" https://a.test/go/ |b.test,direct,https://c.test").unwrap();
        let [first, second, third] = list.elements() else { panic!("{list:?}") };
        let Target::Proxy(base) = &first.target else { panic!("{first:?}") };
        assert_eq!((base.origin.to_string(), base.path.as_str()), ("https://a.test".into(), "/go"));
        assert_eq!((first.next, second.next), (Next::OnError, Next::WhenMissing));
        assert_eq!(third.target, Target::Direct);
        assert_eq!(list.proxies().count(), 2);
    }

    #[test]
    fn what_cannot_be_used_is_said_without_a_secret() {
        for (text, expected) in [
            (" , ", Error::Empty),
            ("https://a.test,https://ana:S3cret@b.test", Error::Userinfo(2)),
            ("https://a.test/?x=1", Error::Query(1)),
            ("file:///srv", Error::Element(1, None)),
        ] {
            let error = Upstreams::parse(text).unwrap_err();
            assert!(!error.to_string().contains("S3cret"));
            assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&expected), "{text}");
        }
        assert!(matches!(Upstreams::parse("dirct"), Err(Error::Element(1, _))));
    }
}
