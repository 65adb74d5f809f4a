//! git's URLs: how they are normalised and compared for `http.<url>.*` and `credential.<url>.*`
//! (urlmatch.c), and how git takes a proxy's URL apart (credential.c, `credential_from_url`).

use std::fmt::Write as _;

use crate::core::{doctor::route::address::triplet, secret::SecretString};

/// A URL as git compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normal {
    scheme: String,
    user: Option<String>,
    host: String,
    port: String,
    /// The path; behind it query and fragment.
    path: String,
}

/// How well a pattern matches: the better one is greater. A pattern of no URL at all is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    host: usize,
    path: usize,
    user: bool,
}

impl Normal {
    /// Normalises a URL (`url_normalize`); `None` where git finds none.
    pub fn of(url: &str) -> Option<Self> {
        Self::parse(url, false)
    }

    /// The same of a pattern: its host may hold stars.
    pub fn pattern(url: &str) -> Option<Self> {
        Self::parse(url, true)
    }

    fn parse(url: &str, has_globs: bool) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(is_scheme)
        {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, place) = match authority.split_once('@') {
            Some((userinfo, place)) => {
                let userinfo = escaped(userinfo)?;
                let user = userinfo.split_once(':').map_or(userinfo.as_str(), |(user, _)| user);
                (Some(user.to_owned()), place)
            }
            None => (None, authority),
        };
        let is_file = scheme == "file";
        if !is_file && (place.is_empty() || place.starts_with(':')) {
            return None;
        }
        let (host, port) = split(place);
        let is_host =
            |c: char| c.is_ascii_alphanumeric() || ".-_[:]".contains(c) || (has_globs && c == '*');
        if !host.chars().all(is_host)
            || (is_file && host.is_empty() && port.is_some_and(|it| !it.is_empty()))
        {
            return None;
        }
        let port = port.map_or(Some(String::new()), |port| normal_port(&scheme, port))?;
        let path = normal_path(path)?;
        Some(Self { scheme, user, host: host.to_ascii_lowercase(), port, path })
    }

    /// Returns how well a pattern matches this URL; `None`: not at all (`match_urls`).
    pub fn matched(&self, pattern: &Self) -> Option<Match> {
        let is_user = pattern.user.is_none() || pattern.user == self.user;
        let is_place = self.scheme == pattern.scheme && self.port == pattern.port;
        if !is_user || !is_place || !host_matches(&self.host, &pattern.host) {
            return None;
        }
        let path = prefix(&self.path, &pattern.path)?;
        Some(Match { host: pattern.host.len(), path, user: pattern.user.is_some() })
    }
}

/// Splits off the port: the last colon that no bracket follows.
fn split(place: &str) -> (&str, Option<&str>) {
    match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    }
}

/// Leading zeros and the default go.
fn normal_port(scheme: &str, port: &str) -> Option<String> {
    let number = port.trim_start_matches('0');
    if port.is_empty() {
        return Some(String::new());
    }
    let is_default = (scheme == "http" && number == "80") || (scheme == "https" && number == "443");
    if is_default {
        return Some(String::new());
    }
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let value: u16 = if is_number { number.parse().ok()? } else { return None };
    (value > 0).then(|| number.to_owned())
}

/// Resolves dots, and writes every escape in one way; query and fragment follow.
fn normal_path(text: &str) -> Option<String> {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let mut segments: Vec<String> = Vec::new();
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        let segment = escaped(segment)?;
        match segment.as_str() {
            "." => {}
            ".." => drop(segments.pop()?),
            _ => segments.push(segment),
        }
    }
    let mut normal = format!("/{}", segments.join("/"));
    normal.push_str(&escaped(rest)?);
    Some(normal)
}

/// Undoes escapes that nobody needs, and adds those that are missing (`append_normalized_escapes`).
fn escaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let (byte, was_escaped) = match first {
            b'%' => (triplet(rest)?, true),
            _ => (*first, false),
        };
        rest = if was_escaped { behind.get(2..).unwrap_or_default() } else { behind };
        let is_unsafe = byte <= 0x1f || byte >= 0x7f || b" <>\"%{}|\\^`".contains(&byte);
        if is_unsafe || (was_escaped && b":/?#[]@!$&'()*+,;=".contains(&byte)) {
            let _ = write!(out, "%{byte:02X}");
        } else {
            out.push(char::from(byte));
        }
    }
    Some(out)
}

/// Component by component; a star stands for one of them. A dot at the end counts for nothing.
fn host_matches(host: &str, pattern: &str) -> bool {
    let (mut host, mut pattern) = (host.split_terminator('.'), pattern.split_terminator('.'));
    loop {
        match (host.next(), pattern.next()) {
            (None, None) => return true,
            (Some(name), Some(wanted)) if wanted == "*" || wanted == name => {}
            _ => return false,
        }
    }
}

/// Returns the length of the match, the slash at its end included (`url_match_prefix`).
fn prefix(path: &str, pattern: &str) -> Option<usize> {
    if pattern.is_empty() || pattern == "/" {
        return (path.is_empty() || path.starts_with('/')).then_some(1);
    }
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    let rest = path.strip_prefix(pattern)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(pattern.len() + 1)
}

/// A URL as `credential_from_url` takes it apart.
pub struct Parts {
    /// User and password.
    pub user: Option<String>,
    /// See `user`.
    pub password: Option<SecretString>,
    /// With its port.
    pub host: String,
    /// Without slashes around it; empty where there is none.
    pub path: String,
}

/// Takes a URL with a scheme apart.
pub fn parts(url: &str) -> Option<Parts> {
    let (_, rest) = url.split_once("://").filter(|(scheme, _)| !scheme.is_empty())?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (login, host) = match authority.split_once('@') {
        Some((login, host)) => (Some(login), host),
        None => (None, authority),
    };
    let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
        Some(Ok((user, password))) => {
            (Some(plain(user)), Some(SecretString::from(plain(password))))
        }
        Some(Err(user)) => (Some(plain(user)), None),
        None => (None, None),
    };
    let path = plain(path.trim_start_matches('/'));
    let path = path.trim_end_matches('/').to_owned();
    Some(Parts { user, password, host: plain(host), path })
}

/// Decodes as git's `url_decode` does: what stands before the first colon stays, and so does `%00`.
fn plain(text: &str) -> String {
    let colon = text.find(':').unwrap_or_default();
    let (before, mut rest) = text.split_at(colon);
    let mut bytes = before.as_bytes().to_vec();
    while let Some(first) = rest.chars().next() {
        let byte = triplet(rest.as_bytes()).filter(|byte| *byte != 0);
        let length = if byte.is_some() { 3 } else { first.len_utf8() };
        let (written, behind) = rest.split_at(length);
        match byte {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(written.as_bytes()),
        }
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
