//! How Go reads the value of a proxy variable: `url.Parse`, and once more behind `http://`
//! (golang.org/x/net/http/httpproxy, `parseProxy`; net/url of Go 1.27).
//!
//! Go before 1.26 takes some hosts that this refuses: colons in a name, brackets around what is no IPv6
//! address. A host that is not ASCII stays as it is, where Go asks IDNA.

use crate::core::{
    doctor::route::address::{Address, decoded, triplet},
    secret::SecretString,
};

/// Returns the proxy that Go takes from a value. `None`: Go understands nothing, says nothing, and goes
/// straight.
pub fn proxy(value: &str) -> Option<Address> {
    if value.is_empty() {
        return None;
    }
    let first = parse(value);
    if let Some(url) = &first
        && !url.scheme.is_empty()
        && !(url.host.is_empty() && url.port.is_none())
    {
        return first.map(Url::into);
    }
    parse(&format!("http://{value}")).or(first).map(Url::into)
}

/// What `url.Parse` makes of a text.
#[derive(Default)]
struct Url {
    scheme: String,
    host: String,
    /// `Some("")`: a colon without a number.
    port: Option<String>,
    login: Option<(String, SecretString)>,
}

impl From<Url> for Address {
    fn from(url: Url) -> Self {
        let Url { scheme, host, port, login } = url;
        Self { scheme, host, port: port.unwrap_or_default(), login }
    }
}

fn parse(text: &str) -> Option<Url> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    if text == "*" {
        return whole(fragment).then(Url::default);
    }
    let (scheme, rest) = scheme(text)?;
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    let mut url = Url { scheme: scheme.to_ascii_lowercase(), ..Url::default() };
    let mut path = rest;
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // Opaque: what follows is not looked at.
            return whole(fragment).then_some(url);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return None;
        }
    } else if let Some(authority) = rest.strip_prefix("//")
        && !(scheme.is_empty() && authority.starts_with('/'))
    {
        let end = authority.find('/').unwrap_or(authority.len());
        let (authority, behind) = authority.split_at(end);
        self::authority(&mut url, authority)?;
        path = behind;
    }
    (whole(path) && whole(fragment)).then_some(url)
}

/// Splits off the scheme; it may be empty.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let Some(end) =
        end.filter(|_| !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)))
    else {
        return Some(("", text));
    };
    let (scheme, rest) = text.split_at(end);
    match rest.strip_prefix(':') {
        Some(_) if scheme.is_empty() => None,
        Some(rest) => Some((scheme, rest)),
        None => Some(("", text)),
    }
}

/// Whether every percent sign begins a triplet.
fn whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    at.into_iter().all(|(index, _)| bytes.get(index..).and_then(triplet).is_some())
}

fn authority(url: &mut Url, authority: &str) -> Option<()> {
    let (userinfo, host) = match authority.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo), host),
        None => (None, authority),
    };
    let host = host_of(&url.scheme, host)?;
    (url.host, url.port) = split(&host);
    if let Some(userinfo) = userinfo {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
        if !userinfo.chars().all(plain) || !whole(userinfo) {
            return None;
        }
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        url.login = Some((decoded(user), SecretString::from(decoded(password))));
    }
    Some(())
}

/// `parseHost`: host and port, percent-decoded.
fn host_of(scheme: &str, host: &str) -> Option<String> {
    match host.rfind('[') {
        Some(0) => return literal(host),
        Some(_) => return None,
        None => {}
    }
    if let Some(first) = host.find(':') {
        let is_strict = ["http", "https"].contains(&scheme);
        let colon = if is_strict { first } else { host.rfind(':')? };
        is_port(host.get(colon..)?).then_some(())?;
    }
    name(host)
}

/// `[v6]:port`, with a zone behind `%25`.
fn literal(host: &str) -> Option<String> {
    let close = host.rfind(']')?;
    let (inside, port) = (host.get(1..close)?, host.get(close + 1..)?);
    is_port(port).then_some(())?;
    let inside = match inside.find("%25") {
        Some(zone) => format!("{}{}", name(inside.get(..zone)?)?, zone_of(inside.get(zone..)?)?),
        None => name(inside)?,
    };
    let (address, zone) =
        inside.split_once('%').map_or((inside.as_str(), None), |(a, z)| (a, Some(z)));
    if address.parse::<std::net::Ipv6Addr>().is_err() || zone.is_some_and(str::is_empty) {
        return None;
    }
    Some(format!("[{inside}]{port}"))
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|c| c.is_ascii_digit()))
}

/// Whether a byte may stand in a host without being encoded.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// Decodes a host: only bytes that are not ASCII may be encoded, and the percent sign.
fn name(text: &str) -> Option<String> {
    checked(text, |byte| byte >= 0x80 || byte == b'%')
}

/// Decodes a zone: what may stand there plainly may be encoded, too, and a blank.
fn zone_of(text: &str) -> Option<String> {
    checked(text, |byte| byte >= 0x80 || byte == b'%' || byte == b' ' || is_host_byte(byte))
}

fn checked(text: &str, may_be_encoded: impl Fn(u8) -> bool) -> Option<String> {
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'%' {
            let (digits, after) = behind.split_at_checked(2)?;
            let [high, low] = digits else { return None };
            may_be_encoded(triplet(&[b'%', *high, *low])?).then_some(())?;
            rest = after;
        } else if first.is_ascii() && !is_host_byte(*first) {
            return None;
        }
    }
    Some(decoded(text))
}

/// `splitHostPort`: a port that is no number belongs to the host.
fn split(host: &str) -> (String, Option<String>) {
    let (name, port) = match host.rfind(':').map(|colon| host.split_at(colon)) {
        Some((name, port)) if is_port(port) => (name, port.strip_prefix(':').map(str::to_owned)),
        _ => (host, None),
    };
    let inside = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    (inside.unwrap_or(name).to_owned(), port)
}
