//! What a client asks a proxy for: a host and a port, and for plain requests a path.
//!
//! Only spellings that every program reads in the same way get through; numbers that C libraries
//! read as IPv4 addresses (`2130706433`, `0x7f.1`) become those addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use thiserror::Error;

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name: lower case letters, digits, `-`, `_` and dots.
    Name(String),
}

impl Host {
    /// Parses a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(Error::Host)?;
            // Ipv6Addr knows no zone identifier, and we serve none.
            return inner
                .parse::<Ipv6Addr>()
                .map(|v6| Self::Address(v6.into()))
                .map_err(|_| Error::Host);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(legal);
        if name.len() > 253 || !name.split('.').all(label) {
            return Err(Error::Host);
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        if is_number(last) {
            return inet_aton(name).map(|v4| Self::Address(v4.into())).ok_or(Error::Host);
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }

    /// Returns the address that a name stands for without asking anybody (RFC 6761 §6.3).
    pub fn known_address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let local = name == "localhost" || name.ends_with(".localhost");
                local.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
        }
    }

    /// Returns whether it names a cloud's metadata service.
    pub fn is_metadata_name(&self) -> bool {
        let Self::Name(name) = self else { return false };
        let name = name.strip_suffix('.').unwrap_or(name);
        ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"].contains(&name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

impl Authority {
    /// Parses the target of a CONNECT (RFC 9110 §9.3.6): the port must be there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (host, port) = text.rsplit_once(':').ok_or(Error::Port)?;
        Ok(Self { host: Host::parse(host)?, port: port_of(port)? })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The target of a request that is not a CONNECT, in absolute form (RFC 9112 §3.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absolute {
    /// Where it goes.
    pub authority: Authority,
    /// The authority as the Host field has it: without the default port.
    pub host: String,
    /// Path and query; empty where the URL has none.
    pub path: String,
}

impl Absolute {
    /// Parses `http://host[:port][/path][?query]`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once("://").ok_or(Error::Form)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(Error::Scheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(Error::Form)?;
        if path.contains('#') {
            return Err(Error::Form);
        }
        if authority.contains('@') {
            return Err(Error::Host);
        }
        let has_port = authority.rfind(':') > authority.rfind(']');
        let (host, port) = match authority.rsplit_once(':').filter(|_| has_port) {
            Some((host, port)) => (Host::parse(host)?, port_of(port)?),
            None => (Host::parse(authority)?, 80),
        };
        let named = if port == 80 { host.to_string() } else { format!("{host}:{port}") };
        Ok(Self { authority: Authority { host, port }, host: named, path: path.to_owned() })
    }

    /// Returns the target for the origin itself (RFC 9112 §3.2.1, §3.2.4).
    pub fn origin_form(&self, method: &str) -> String {
        match self.path.as_str() {
            "" if method == "OPTIONS" => "*".to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/{path}"),
        }
    }

    /// Returns the target for the next proxy.
    pub fn absolute_form(&self) -> String {
        format!("http://{}{}", self.host, self.path)
    }
}

/// Why a target is not served. The target itself is not repeated: it may hold a secret.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It is a path or `*`.
    #[error("the target is not an absolute http:// URL")]
    Form,
    /// The host is none, or carries userinfo, a zone or an escape.
    #[error("the host of the target is malformed")]
    Host,
    /// The port is missing, or not 1 to 65535 in plain digits.
    #[error("the port of the target is not a number from 1 to 65535")]
    Port,
    /// Not `http`.
    #[error("the scheme of the target is not http; use CONNECT for https")]
    Scheme,
}

fn port_of(text: &str) -> Result<u16, Error> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| canonical).ok_or(Error::Port)
}

/// Returns whether a label makes `inet_aton(3)` read the whole name as an address.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        || label.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads one to four decimal, octal or hexadecimal numbers as `inet_aton(3)` does.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    if bytes.len() > 3 || bytes.iter().any(|byte| *byte > 255) {
        return None;
    }
    let bits = 32 - 8 * u32::try_from(bytes.len()).ok()?;
    let high = bytes.iter().fold(0u64, |address, byte| (address << 8) | u64::from(*byte));
    let address = (high << bits) | u64::from(*last);
    (u64::from(*last) < 1 << bits).then_some(())?;
    u32::try_from(address).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u32> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match (hex, text.strip_prefix('0')) {
        (Some(""), _) => Some(0),
        (Some(digits), _) => u32::from_str_radix(digits, 16).ok(),
        (None, Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
        (None, _) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Absolute, Authority, Error, Host};

    #[test]
    fn plain_targets_are_served() {
        for text in
            ["git.corp.example:443", "10.0.0.1:8443", "[2001:db8::1]:443", "a_b.test:1", "h.:65535"]
        {
            assert_eq!(Authority::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Authority::parse("GIT.Corp:443").unwrap().to_string(), "git.corp:443");
    }

    #[test]
    fn the_targets_of_the_decisions_are_not_served() {
        for text in [
            "host",
            "host:",
            "host:0",
            "host:99999",
            "host:+443",
            "host:0443",
            "user:pw@host:443",
            "http://host:443/",
            "*",
            "/",
            "host:443%0d%0aX: 1",
            "[fe80::1%eth0]:443",
            "[fe80::1%25eth0]:443",
            "::1:443",
            "2001:db8::1:443",
            "",
            ":443",
            "[::1]",
            "[]:443",
            "[1.2.3.4]:443",
            "a..b:443",
            "h h:443",
            "hö:443",
            "host:443 ",
            "h%2e:443",
            "1.2.3.4.5:443",
            "256.1.1.1:443",
            "1.2.3.0x1ff:1",
            "09.1.1.1:443",
            "host:443/",
            "host:443#",
            "-:443@",
        ] {
            assert!(Authority::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_the_addresses_that_they_mean() {
        for text in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0x7F.1",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "017700000001",
            "127.0.0.0x1",
            "127.0.0.1.",
        ] {
            assert_eq!(Host::parse(text), Ok(Host::Address([127, 0, 0, 1].into())), "{text}");
        }
    }

    #[test]
    fn localhost_is_known_without_asking() {
        for text in ["localhost", "LOCALHOST.", "x.localhost"] {
            assert!(
                Host::parse(text).unwrap().known_address().is_some_and(|a| a.is_loopback()),
                "{text}"
            );
        }
        assert_eq!(Host::parse("localhost.corp").unwrap().known_address(), None);
    }

    #[test]
    fn an_absolute_target_gives_both_forms() {
        for (text, host, origin) in [
            ("http://h", "h", "/"),
            ("HTTP://H:80/a?b=1", "h", "/a?b=1"),
            ("http://h:8080?b", "h:8080", "/?b"),
            ("http://[::1]/", "[::1]", "/"),
            ("http://[::1]:81/x", "[::1]:81", "/x"),
        ] {
            let target = Absolute::parse(text).unwrap();
            assert_eq!(
                (target.host.as_str(), target.origin_form("GET").as_str()),
                (host, origin),
                "{text}"
            );
        }
        assert_eq!(Absolute::parse("http://h").unwrap().origin_form("OPTIONS"), "*");
        for (text, error) in [
            ("/x", Error::Form),
            ("*", Error::Form),
            ("https://h/", Error::Scheme),
            ("http://u:p@h/", Error::Host),
            ("http://h:0/", Error::Port),
            ("http://h/#f", Error::Form),
            ("http:///x", Error::Host),
        ] {
            assert_eq!(Absolute::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_served_is_stable(text in "[0-9a-fx.:\\[\\]%@/*]{0,30}") {
            if let Ok(target) = Authority::parse(&text) {
                prop_assert_eq!(Authority::parse(&target.to_string()), Ok(target));
            }
            let _ = Absolute::parse(&text);
        }
    }
}
