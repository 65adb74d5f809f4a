//! The value of a proxy variable: what no tool understands in it, or each in its own way. E37–E41.

use std::fmt::Write as _;

/// What a proxy's URL may begin with, for one tool or another.
const SCHEMES: &[&str] = &["http", "https", "socks5", "socks5h", "socks4", "socks4a", "socks"];

/// Whether go and git pass over the scheme of a value, which nobody knows, and get on with host and port: for
/// git, there may be no path (http.c `http_init`); for go, the port must be said (net/http `canonicalAddr`).
pub(super) fn is_taken_for_http(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_known = SCHEMES.contains(&scheme.to_ascii_lowercase().as_str());
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    !is_known && is_number && !authority.contains(['/', '?', '#', '%'])
}

/// Returns the code of a value, and what is wrong with it.
pub(super) fn flaw(value: &str) -> Option<(&'static str, String)> {
    if value.trim_end() != value {
        return Some((
            "E40",
            "ends with a blank, which go takes for a part of the port".to_owned(),
        ));
    }
    let value = value.trim();
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        let why = if is_taken_for_http(value) {
            "curl refuses, and go and git ask as an HTTP proxy"
        } else {
            "no tool takes for a proxy"
        };
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let shown = if scheme.chars().all(is_scheme) { scheme.as_str() } else { "…" };
        return Some(("E41", format!("begins with {shown}://, which {why}")));
    }
    if scheme.starts_with("http") && rest.split('?').next().is_some_and(is_pac) {
        return Some(("E41", "names a PAC file, which go, git and curl do not read".to_owned()));
    }
    let (login, authority) = match rest.rsplit_once('@') {
        Some((login, authority)) => (Some(login), authority),
        None => (None, rest),
    };
    if let Some(login) = login {
        if login.contains(['/', '?', '#']) {
            return Some((
                "E37",
                "holds `#`, `/` or `?` in its password: the URL ends there".to_owned(),
            ));
        }
        if has_raw_percent(login) {
            return Some((
                "E38",
                "holds a `%` in its password that encodes nothing: go ignores the whole value"
                    .to_owned(),
            ));
        }
        if login.contains('@') {
            return Some((
                "E39",
                "holds an `@` in its password, where programs disagree on which one ends it"
                    .to_owned(),
            ));
        }
    }
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority
        .rsplit_once(':')
        .filter(|(host, port)| !port.contains(']') && !host.ends_with(':'));
    let is_bad = port.is_some_and(|(_, port)| {
        !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    // Not shown: where a `#` began a comment, or an `@` is missing, it is a password.
    is_bad.then(|| ("E40", "names a port that is none".to_owned()))
}

fn is_pac(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.rsplit('.').next() == Some("pac") || path.ends_with("/wpad.dat")
}

fn has_raw_percent(text: &str) -> bool {
    let mut parts = text.split('%');
    parts.next();
    parts.any(|part| {
        let pair = part.get(..2);
        !pair.is_some_and(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// Returns the value with its password percent-encoded; `None` where only a person knows what is meant.
pub(super) fn mended(value: &str, code: &str) -> Option<String> {
    if !matches!(code, "E37" | "E38" | "E39") {
        return None;
    }
    let (scheme, rest) = value.split_once("://")?;
    let (login, authority) = rest.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    let mut encoded = String::with_capacity(password.len() * 3);
    for byte in password.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Some(format!("{scheme}://{user}:{encoded}@{authority}"))
}

#[cfg(test)]
mod tests {
    use super::{flaw, is_taken_for_http, mended};

    #[test]
    fn a_proxy_is_read_as_the_tools_read_it() {
        for (value, code) in [
            ("http://u:p@h:3128", None),
            ("h:3128", None),
            ("http://[::1]:3128", None),
            ("http://u:p#x@h:1", Some("E37")),
            ("http://u:p%x@h:1", Some("E38")),
            ("http://u:p@x@h:1", Some("E39")),
            ("http://h:99999", Some("E40")),
            ("http://h:x", Some("E40")),
            ("http://h:3128 ", Some("E40")),
            ("pac+http://h/p.pac", Some("E41")),
            ("http://h/proxy.pac", Some("E41")),
        ] {
            assert_eq!(flaw(value).map(|(code, _)| code), code, "{value}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_an_http_proxy_where_host_and_port_are_plain() {
        for (value, is_it) in [
            ("ftp://h:3128", true),
            ("quic://u:p@h:3128/", true),
            ("ftp://h", false),
            ("pac+http://h:80/p.pac", false),
            ("http://h:3128", false),
            ("h:3128", false),
        ] {
            assert_eq!(is_taken_for_http(value), is_it, "{value}");
        }
    }

    #[test]
    fn a_password_is_encoded() {
        let mended = mended("http://u:a#b%c@d@h:1", "E37");
        assert_eq!(mended.as_deref(), Some("http://u:a%23b%25c%40d@h:1"));
    }
}
