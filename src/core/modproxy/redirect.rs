//! Where a redirect leads (RFC 9110 §10.2.2, RFC 3986 §5.2), and when it is not followed.
//!
//! It knows nothing of credentials: what is shown to the new place is looked up for it, anew.

use thiserror::Error;

use crate::core::{
    modproxy::{list::Base, request::Request},
    origin::{self, Origin},
};

/// The most redirects on the way to one answer, as in net/http.
pub const MAX: usize = 10;
/// The longest path with its query, in bytes: signed URLs of object stores have some 2 KiB.
const MAX_TARGET: usize = 8 * 1024;

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The server, in lower case and without the port that its scheme has anyway.
    pub origin: Origin,
    /// Path and query, as they stand in the request line.
    pub target: String,
}

/// The places that were asked for one answer.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Where it began and went on; never empty.
    before: Vec<Place>,
    now: Place,
}

/// Why a redirect is not followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// From https to http, at another host: what a portal does.
    #[error("it redirects from https to {0}")]
    Downgrade(Origin),
    /// From https to http, at the same host: its base URL is wrong.
    #[error("it redirects from https to {0}")]
    DowngradeWithin(Origin),
    /// To where it came from.
    #[error("its redirects come back to where they began")]
    Loop,
    /// To no URL.
    #[error("it redirects to something that is not a URL")]
    Malformed(#[source] Option<origin::Error>),
    /// To neither http nor https.
    #[error("it redirects to a URL that is neither http nor https")]
    Scheme,
    /// More than [`MAX`] times.
    #[error("it redirects more than {MAX} times")]
    TooMany,
    /// To a URL with a user name or password.
    #[error("it redirects to a URL with a user name or password in it")]
    Userinfo,
}

impl Place {
    /// Returns where an upstream has what is asked for.
    pub fn first(base: &Base, asked: &Request) -> Self {
        let target = format!("{}{}", base.path, asked.path());
        Self { origin: base.origin.clone(), target }
    }

    /// Returns the path without its query, which may hold a signature: for look-ups and messages.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl Trail {
    /// Begins at the upstream.
    pub fn new(first: Place) -> Self {
        Self { before: Vec::new(), now: first }
    }

    /// Returns where it is now.
    pub fn now(&self) -> &Place {
        &self.now
    }

    /// Returns whether it is at another server than where it began.
    pub fn has_left(&self) -> bool {
        self.before.first().is_some_and(|first| first.origin != self.now.origin)
    }

    /// Follows a redirect.
    pub fn follow(&mut self, location: &[u8]) -> Result<&Place, Error> {
        if self.before.len() >= MAX {
            return Err(Error::TooMany);
        }
        let to = resolve(&self.now, location)?;
        if self.now.origin.scheme() == "https" && to.origin.scheme() == "http" {
            let is_within = self.now.origin.host().eq_ignore_ascii_case(to.origin.host());
            let error = if is_within { Error::DowngradeWithin } else { Error::Downgrade };
            return Err(error(to.origin));
        }
        if to == self.now || self.before.contains(&to) {
            return Err(Error::Loop);
        }
        self.before.push(std::mem::replace(&mut self.now, to));
        Ok(&self.now)
    }
}

/// Resolves a `Location` against where it came from.
fn resolve(from: &Place, location: &[u8]) -> Result<Place, Error> {
    let location = escape(location).ok_or(Error::Malformed(None))?;
    let location = location.split('#').next().unwrap_or_default();
    let (origin, reference) = if let Some((scheme, _)) = scheme_of(location) {
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(Error::Scheme);
        }
        server(&scheme, location.split_once(':').map_or("", |(_, rest)| rest))?
    } else if location.starts_with("//") {
        server(from.origin.scheme(), location)?
    } else {
        (from.origin.clone(), location.to_owned())
    };
    let (path, query) = split_query(&reference);
    let path = match path {
        // Only a query, or nothing: the path stays (RFC 3986 §5.2.2).
        "" if scheme_of(location).is_none() && !location.starts_with("//") => {
            from.path().to_owned()
        }
        path if path.starts_with('/') || path.is_empty() => without_dots(path),
        path => {
            let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            without_dots(&format!("{folder}/{path}"))
        }
    };
    let target = path + query;
    if target.len() > MAX_TARGET {
        return Err(Error::Malformed(None));
    }
    Ok(Place { origin, target })
}

/// Splits `//host/path` into the server, normalised (RFC 3986 §6.2.3), and the rest.
fn server(scheme: &str, rest: &str) -> Result<(Origin, String), Error> {
    let rest = rest.strip_prefix("//").ok_or(Error::Malformed(None))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, reference) = rest.split_at_checked(end).ok_or(Error::Malformed(None))?;
    if authority.contains('@') {
        return Err(Error::Userinfo);
    }
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase();
    let authority = authority.strip_suffix(':').unwrap_or(&authority);
    let origin = Origin::new(scheme, authority);
    let origin = origin.map_err(|error| Error::Malformed(Some(error)))?;
    Ok((origin, reference.to_owned()))
}

/// Returns the scheme of an absolute reference, and what follows its colon.
fn scheme_of(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_scheme && scheme.chars().all(is_letter)).then_some((scheme, rest))
}

/// Splits a reference before its `?`.
fn split_query(reference: &str) -> (&str, &str) {
    let at = reference.find('?').unwrap_or(reference.len());
    reference.split_at_checked(at).unwrap_or((reference, ""))
}

/// Removes `.` and `..` (RFC 3986 §5.2.4); the result begins with a slash.
fn without_dots(path: &str) -> String {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut kept: Vec<&str> = Vec::new();
    let mut elements = path.split('/').peekable();
    while let Some(element) = elements.next() {
        let is_last = elements.peek().is_none();
        match element {
            "." | ".." => {
                if element == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            element => kept.push(element),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Escapes what a request line must not carry and servers send all the same, as net/url does. Control
/// characters are nobody's.
fn escape(location: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(location.len());
    for byte in location.trim_ascii() {
        match byte {
            0..=0x1f | 0x7f => return None,
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                let digit = |half: u8| char::from_digit(half.into(), 16);
                let digits = digit(byte >> 4).into_iter().chain(digit(byte & 15));
                text.push('%');
                text.extend(digits.map(|c| c.to_ascii_uppercase()));
            }
            byte => text.push(char::from(*byte)),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Error, MAX, Place, Trail};
    use crate::core::{
        modproxy::{
            list::{Target, Upstreams},
            request::Request,
        },
        origin::Origin,
    };

    fn place(url: &str) -> Place {
        let (origin, target) = Origin::from_url(url).unwrap();
        Place { origin, target: target.to_owned() }
    }

    fn followed(from: &str, location: &str) -> Result<String, Error> {
        let mut trail = Trail::new(place(from));
        trail.follow(location.as_bytes()).map(|to| format!("{}{}", to.origin, to.target))
    }

    #[test]
    fn the_first_place_is_below_the_upstreams_path() {
        let list = Upstreams::parse("https://h.test:8443/go/").unwrap();
        let [element] = list.elements() else { panic!("{list:?}") };
        let Target::Proxy(base) = &element.target else { panic!("{element:?}") };
        let asked = Request::parse("/h.test/!m/@v/v1.0.0.zip").unwrap();
        let first = Place::first(base, &asked);
        assert_eq!(first, place("https://h.test:8443/go/h.test/%21m/@v/v1.0.0.zip"));
    }

    #[test]
    fn every_form_of_location_is_resolved() {
        let from = "https://h.test/go/m/@v/v1.zip?x=1";
        for (location, to) in [
            ("https://cdn.test/a/b?sig=%2F&x=a/../b", "https://cdn.test/a/b?sig=%2F&x=a/../b"),
            ("HTTPS://CDN.Test:443/A", "https://cdn.test/A"),
            ("https://cdn.test", "https://cdn.test/"),
            ("https://cdn.test?x", "https://cdn.test/?x"),
            ("https://cdn.test:8443/a#part", "https://cdn.test:8443/a"),
            ("https://[::1]:8443/a", "https://[::1]:8443/a"),
            ("//cdn.test/a", "https://cdn.test/a"),
            ("/a/./b/../c", "https://h.test/a/c"),
            ("/../../a/", "https://h.test/a/"),
            ("v2.zip", "https://h.test/go/m/@v/v2.zip"),
            ("./v2.zip?y", "https://h.test/go/m/@v/v2.zip?y"),
            ("..", "https://h.test/go/m/"),
            ("?y=2", "https://h.test/go/m/@v/v1.zip?y=2"),
            (" /a b/é ", "https://h.test/a%20b/%C3%A9"),
            ("/a:b", "https://h.test/a:b"),
            ("/a//b", "https://h.test/a//b"),
        ] {
            assert_eq!(followed(from, location).as_deref(), Ok(to), "{location}");
        }
    }

    #[test]
    fn what_leads_nowhere_good_is_not_followed() {
        let from = "https://h.test/m";
        let origin = |url| Origin::from_url(url).unwrap().0;
        for (location, error) in [
            ("http://h.test/m", Error::DowngradeWithin(origin("http://h.test"))),
            ("http://portal.test/in", Error::Downgrade(origin("http://portal.test"))),
            ("https://ana:S3cret@h.test/", Error::Userinfo),
            ("ftp://h.test/", Error::Scheme),
            ("javascript:alert(1)", Error::Scheme),
            ("file:///etc/passwd", Error::Scheme),
            ("https:/h.test/", Error::Malformed(None)),
            ("/a\r\nX: y", Error::Malformed(None)),
            ("/a\0", Error::Malformed(None)),
            ("https://h.test/m", Error::Loop),
            ("", Error::Loop),
        ] {
            assert_eq!(followed(from, location), Err(error), "{location}");
        }
        for location in ["https:///a", "https://h:0/", "https://h:99999/", "https://a%20b/"] {
            assert!(matches!(followed(from, location), Err(Error::Malformed(_))), "{location}");
        }
        let long = format!("/{}", "a".repeat(9000));
        assert_eq!(followed(from, &long), Err(Error::Malformed(None)));
        assert_eq!(followed("http://h.test/m", "https://h.test/m").unwrap(), "https://h.test/m");
    }

    #[test]
    fn redirects_end() {
        let mut trail = Trail::new(place("https://h.test/0"));
        assert!(!trail.has_left());
        for hop in 1..=MAX {
            trail.follow(format!("https://cdn.test/{hop}").as_bytes()).unwrap();
        }
        assert!(trail.has_left());
        assert_eq!(trail.follow(b"/11"), Err(Error::TooMany));
        let mut trail = Trail::new(place("https://h.test/0"));
        trail.follow(b"/1").unwrap();
        assert_eq!(trail.follow(b"/0#again"), Err(Error::Loop));
    }

    #[test]
    fn an_error_never_shows_what_a_location_carries() {
        let error = followed("https://h.test/m", "http://h.test/?token=S3cret").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("S3cret"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_place_that_fits_a_request_line_or_an_error(location in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut trail = Trail::new(place("http://h.test/a/b?c"));
            if let Ok(to) = trail.follow(&location) {
                prop_assert!(to.target.starts_with('/'));
                prop_assert!(to.target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
                prop_assert!(to.path().split('/').all(|element| element != "." && element != ".."));
            }
        }

        #[test]
        fn any_reference_is_resolved_the_same_twice(location in "(https?:)?(//[a-z]{1,3}(:[0-9]{1,3})?)?[a-z./?#%]{0,20}") {
            let once = followed("http://h.test/a/b", &location);
            if let Ok(url) = &once {
                let twice = followed("http://other.test/x", url);
                prop_assert_eq!(twice.as_ref(), Ok(url));
            }
        }
    }
}
