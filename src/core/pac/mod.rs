//! Proxy auto-configuration, as far as it needs nobody: what a script is asked, what its answer
//! means, and the functions that it may call.
//!
//! The functions are written from their documentation: Netscape's "Proxy Auto-Config File Format"
//! (1996) as MDN keeps it, and Microsoft's "IPv6 extensions" (2006). Where the two leave a choice,
//! the browsers' answer is taken, since that is what scripts were tried with.

pub mod answer;
pub mod calendar;
pub mod desktop;
pub mod file;
pub mod glob;
pub mod hosts;
pub mod nets;
pub mod question;
pub mod wpad;

use std::path::PathBuf;

/// Where a script comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `desktop`: what the desktop's settings say.
    Desktop,
    /// A path, or a `file://` URL.
    File(PathBuf),
    /// An `http://` or `https://` URL.
    Url(String),
    /// `wpad`: what the name `wpad` of the own domain serves.
    Wpad,
}

impl Source {
    /// Parses what a person writes. Every text that is not a URL or one of the two words is a path.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" => return None,
            "desktop" => Self::Desktop,
            "wpad" => Self::Wpad,
            url if has_scheme(url, "http") || has_scheme(url, "https") => {
                let is_plain = |c: char| c.is_ascii_graphic() && !"#\\\"<>^`{|}".contains(c);
                url.chars().all(is_plain).then(|| Self::Url(url.to_owned()))?
            }
            url if has_scheme(url, "file") => {
                let path = url.get("file://".len()..)?;
                let path = path.strip_prefix("localhost").unwrap_or(path);
                Self::File(PathBuf::from(unescaped(path)?))
            }
            other if other.contains("://") => return None,
            path => Self::File(PathBuf::from(path)),
        })
    }
}

/// Schemes are written in any case (RFC 3986 §3.1).
fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once("://").is_some_and(|(written, _)| written.eq_ignore_ascii_case(scheme))
}

/// Undoes the percent-encoding of an absolute path.
fn unescaped(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0)?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    // `file:///C:/proxy.pac` names a drive.
    let path = String::from_utf8(bytes).ok()?;
    let drive = path.strip_prefix('/').filter(|rest| rest.get(1..2) == Some(":"));
    Some(drive.map_or_else(|| path.clone(), ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Source;

    #[test]
    fn a_source_is_a_word_a_url_or_a_path() {
        let file = |path: &str| Some(Source::File(PathBuf::from(path)));
        for (text, source) in [
            ("desktop", Some(Source::Desktop)),
            ("wpad", Some(Source::Wpad)),
            ("proxy.pac", file("proxy.pac")),
            ("file:///etc/a%20b.pac", file("/etc/a b.pac")),
            ("file://localhost/etc/p.pac", file("/etc/p.pac")),
            ("FILE:///C:/p.pac", file("C:/p.pac")),
            ("http://h/p.pac?x", Some(Source::Url("http://h/p.pac?x".into()))),
            ("file://host/etc/p.pac", None),
            ("file:///%zz", None),
            ("file:///%00", None),
            ("http://h/p p", None),
            ("ftp://h/p.pac", None),
            ("", None),
        ] {
            assert_eq!(Source::parse(text), source, "{text}");
        }
    }
}
