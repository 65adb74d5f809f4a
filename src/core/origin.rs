//! Scheme, host and port, exactly as asked: the only thing that a credential is bound to.
//!
//! It deliberately has no userinfo, path, query or fragment. Hosts are compared byte for byte as
//! git and Go do: `h` and `h:443` are two origins, and so are `H` and `h`.

use std::fmt;

use thiserror::Error;

/// A scheme, a host and an optional port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// Why a text is not an origin. The text itself is not repeated: it may hold a secret.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// There is no host.
    #[error("the host is missing")]
    NoHost,
    /// The host has a character that no host has: blank, control, `/`, `@`, `%`, `?`, `#`, `\`.
    #[error("the host has a character that does not belong in a host name")]
    Host,
    /// The port is not a number from 1 to 65535, written without sign or leading zero.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// The scheme is empty or not `[a-z][a-z0-9+.-]*` (RFC 3986 §3.1, lower case).
    #[error("the scheme is not a URL scheme")]
    Scheme,
    /// The URL carries a user name or password.
    #[error("the URL carries a user name or password")]
    Userinfo,
}

impl Origin {
    /// Parses a scheme, and a `host[:port]` as git's `host=` has it (`[::1]:8443` included).
    pub fn new(scheme: &str, authority: &str) -> Result<Self, Error> {
        let (host, port) = split_port(authority)?;
        Self::from_parts(scheme, host, port)
    }

    /// Builds an origin from a scheme, a host without port, and a port.
    pub fn from_parts(scheme: &str, host: &str, port: Option<u16>) -> Result<Self, Error> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
        if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(valid) {
            return Err(Error::Scheme);
        }
        if host.is_empty() {
            return Err(Error::NoHost);
        }
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let foreign =
            |c: char| c.is_whitespace() || c.is_control() || "/@%?#\\\"<>^`{|}[]".contains(c);
        let name = bracketed.unwrap_or(host);
        if name.is_empty() || name.contains(foreign) || (bracketed.is_none() && name.contains(':'))
        {
            return Err(Error::Host);
        }
        if bracketed.is_some() && name.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(Error::Host);
        }
        Ok(Self { scheme: scheme.to_owned(), host: host.to_owned(), port })
    }

    /// Parses a URL, and returns its origin and the rest (path and query, or the empty text).
    /// Userinfo and control characters are errors.
    pub fn from_url(url: &str) -> Result<(Self, &str), Error> {
        let (scheme, rest) = url.split_once("://").ok_or(Error::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(Error::Userinfo);
        }
        Ok((Self::new(scheme, authority)?, path))
    }

    /// Returns the scheme, lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the host without port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port if one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns `host` or `host:port`, as it was written.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), Error> {
    let from = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority.get(from..).and_then(|rest| rest.find(':')) else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(from + colon);
    let port = port.strip_prefix(':').unwrap_or(port);
    let canonical = !port.starts_with('0') && port.chars().all(|c| c.is_ascii_digit());
    match port.parse() {
        Ok(port) if canonical => Ok((host, Some(port))),
        _ => Err(Error::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Origin};

    #[test]
    fn an_authority_is_kept_as_written() {
        for authority in ["h", "h:8443", "[::1]", "[::1]:8443", "Git.Corp.Test", "h:443"] {
            let origin = Origin::new("https", authority).unwrap();
            assert_eq!(origin.authority(), authority);
            assert_eq!(origin.to_string(), format!("https://{authority}"));
        }
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for (authority, error) in [
            ("", Error::NoHost),
            (":443", Error::NoHost),
            ("h h", Error::Host),
            ("h\r", Error::Host),
            ("h\u{0}", Error::Host),
            ("h/x", Error::Host),
            ("u@h", Error::Host),
            ("h%0a", Error::Host),
            ("[::1", Error::Port),
            ("[x]", Error::Host),
            ("[]", Error::Host),
            ("[fe80::1%eth0]", Error::Host),
            ("a:b:1", Error::Port),
            ("h:", Error::Port),
            ("h:0", Error::Port),
            ("h:0443", Error::Port),
            ("h:+443", Error::Port),
            ("h:65536", Error::Port),
        ] {
            assert_eq!(Origin::new("https", authority), Err(error), "{authority:?}");
        }
        assert_eq!(Origin::new("", "h"), Err(Error::Scheme));
        assert_eq!(Origin::new("HTTPS", "h"), Err(Error::Scheme));
    }

    #[test]
    fn a_url_gives_its_origin_and_its_path() {
        let (origin, path) = Origin::from_url("https://h:8443/team/lib?x=1").unwrap();
        assert_eq!((origin.to_string().as_str(), path), ("https://h:8443", "/team/lib?x=1"));
        assert_eq!(
            Origin::from_url("https://h?%0ahost=github.com").unwrap().1,
            "?%0ahost=github.com"
        );
        assert_eq!(Origin::from_url("https://ana:pw@h/"), Err(Error::Userinfo));
        assert_eq!(Origin::from_url("h/team"), Err(Error::Scheme));
    }

    #[test]
    fn a_missing_port_is_not_the_default_port() {
        assert_ne!(Origin::new("https", "h"), Origin::new("https", "h:443"));
    }
}
