//! How libcurl reads the URL of a proxy (lib/urlapi.c of 7.88, `parse_proxy` of lib/url.c).
//!
//! Up to three slashes, none at all, old forms of IPv4 addresses, and a name that begins with `ftp.` count
//! for something here. The limits on length are left out.

use std::net::{Ipv4Addr, Ipv6Addr};

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::route::address::{Address, decoded},
    secret::SecretString,
};

/// Why libcurl takes no proxy from a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `Unsupported proxy syntax`.
    Syntax,
    /// The same, because of the port.
    Port,
    /// `Unsupported proxy scheme`.
    Scheme,
    /// A Unix socket behind SOCKS: `socks5h://localhost/run/tor.sock`. It is meant so, but nobody here asks there.
    Socket,
    /// A login with an encoded control character: libcurl 7.88 says nothing, and goes straight.
    Login,
}

/// The schemes that libcurl knows for proxies.
pub(super) const SCHEMES: &[&str] =
    &["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"];

/// The names that libcurl guesses a scheme from, where none is written.
const GUESSED: &[&str] = &["ftp.", "dict.", "ldap.", "imap.", "smtp.", "pop3."];

/// Returns the proxy that libcurl takes from a value that is not empty. The port is empty where none is said.
pub fn proxy(value: &str) -> Result<Address, Flaw> {
    let (scheme, rest) = scheme(value)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || is_junk(path) {
        return Err(Flaw::Syntax);
    }
    let (userinfo, place) = match authority.split_once('@') {
        Some((userinfo, place)) => (Some(userinfo), place),
        None => (None, authority),
    };
    if userinfo.is_some_and(is_junk) {
        return Err(Flaw::Syntax);
    }
    let (host, port) = port(place, scheme.is_some())?;
    let host = host_of(host).ok_or(Flaw::Syntax)?;
    let scheme = match scheme {
        Some(scheme) => scheme.to_ascii_lowercase(),
        None if GUESSED.iter().any(|guess| starts_with(&host, guess)) => return Err(Flaw::Scheme),
        None => "http".to_owned(),
    };
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(Flaw::Scheme);
    }
    let login = userinfo.map(login).transpose()?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let has_path = !["", "/", "/.", "/..", "/./", "/../"].contains(&path);
    if scheme.starts_with("socks") && host.eq_ignore_ascii_case("localhost") && has_path {
        return Err(Flaw::Socket);
    }
    Ok(Address { scheme, host, port, login })
}

fn login(userinfo: &str) -> Result<(String, SecretString), Flaw> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let (user, password) = (decoded(user), SecretString::from(decoded(password)));
    if has_control(&user) || has_control(password.expose_secret()) {
        return Err(Flaw::Login);
    }
    Ok((user, password))
}

/// Splits off the scheme with its slashes, where there is one (`Curl_is_absolute_url`, guessing).
fn scheme(value: &str) -> Result<(Option<&str>, &str), Flaw> {
    /// `MAX_SCHEME_LEN`
    const LONGEST: usize = 40;
    let is_scheme = |c: u8| c.is_ascii_alphanumeric() || b"+-.".contains(&c);
    let length = value.bytes().take(LONGEST).take_while(|c| is_scheme(*c)).count();
    let (scheme, rest) = value.split_at(length);
    let Some(rest) = rest.strip_prefix(':').filter(|rest| length > 0 && rest.starts_with('/'))
    else {
        return Ok((None, value));
    };
    if scheme.eq_ignore_ascii_case("file") {
        return Err(Flaw::Scheme);
    }
    let slashes = rest.bytes().take(4).take_while(|c| *c == b'/').count();
    match rest.get(slashes..) {
        Some(rest) if slashes <= 3 => Ok((Some(scheme), rest)),
        _ => Err(Flaw::Syntax),
    }
}

/// Splits off the port (`Curl_parse_port`). A colon without number is passed over behind a scheme only.
fn port(place: &str, has_scheme: bool) -> Result<(&str, String), Flaw> {
    let (host, port) = if place.starts_with('[') {
        let close = place.find(']').ok_or(Flaw::Syntax)?;
        let (host, port) = place.split_at(close + 1);
        if port.is_empty() {
            return Ok((host, String::new()));
        }
        (host, port.strip_prefix(':').ok_or(Flaw::Port)?)
    } else {
        match place.split_once(':') {
            Some(parts) => parts,
            None => return Ok((place, String::new())),
        }
    };
    if port.is_empty() {
        return if has_scheme { Ok((host, String::new())) } else { Err(Flaw::Port) };
    }
    if !port.bytes().all(|c| c.is_ascii_digit()) {
        return Err(Flaw::Port);
    }
    let port: u16 = port.parse().map_err(|_| Flaw::Port)?;
    Ok((host, port.to_string()))
}

/// Returns the host, decoded and without brackets; `None` where it is none.
fn host_of(host: &str) -> Option<String> {
    if is_junk(host) {
        return None;
    }
    if let Some(address) = ipv4(host) {
        return Some(address.to_string());
    }
    if let Some(inside) = host.strip_prefix('[') {
        return ipv6(inside.strip_suffix(']')?);
    }
    let host = decoded(host);
    let is_bad = |c: char| " \r\n\t/:#?!@{}[]\\$'\"^`*<>=;,+&()".contains(c);
    if host.is_empty() || host.contains(is_bad) || has_control(&host) {
        return None;
    }
    // What is taken out of the parsed URL is decoded once more.
    let host = decoded(&host);
    (!has_control(&host)).then_some(host)
}

/// An address between brackets: its shorter spelling counts, and a zone is cut off.
fn ipv6(inside: &str) -> Option<String> {
    /// `zoneid[16]`, with its NUL
    const LONGEST: usize = 15;
    if inside.len() < 2 {
        return None;
    }
    let (address, zone) = match inside.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (inside, None),
    };
    if let Some(zone) = zone {
        let name = zone.strip_prefix("25").filter(|name| !name.is_empty()).unwrap_or(zone);
        if name.is_empty() || name.len() > LONGEST {
            return None;
        }
    }
    let parsed: Ipv6Addr = address.parse().ok()?;
    // glibc writes the last words of an IPv4-compatible address in dots, Rust those of a mapped one only.
    let short = match parsed.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            format!("::{}", Ipv4Addr::from_bits(u32::try_from(parsed.to_bits()).ok()?))
        }
        _ => parsed.to_string(),
    };
    Some(if short.len() < address.len() { short } else { address.to_owned() })
}

/// `ipv4_normalize`: one to four numbers, decimal, octal or hexadecimal; the last one fills the rest.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let room = 8 * (4_u32.checked_sub(u32::try_from(first.len()).ok()?)?);
    if first.iter().any(|part| *part > 0xff) || (room < u32::BITS && last.checked_shr(room)? > 0) {
        return None;
    }
    let mut address = 0_u32;
    for part in first {
        address = address << 8 | part;
    }
    let address = if room < u32::BITS { address << room | last } else { *last };
    (room > 0).then(|| Ipv4Addr::from_bits(address))
}

/// `strtoul` with base 0, which must use the whole text.
fn number(text: &str) -> Option<u32> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, base) = match (hexadecimal, text.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (text, 10),
    };
    let is_plain = digits.chars().all(|c| c.is_digit(base));
    if is_plain { u32::from_str_radix(digits, base).ok() } else { None }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// `REJECT_CTRL`
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20)
}

/// Control characters, and blanks.
fn is_junk(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ')
}
