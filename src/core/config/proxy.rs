//! `[proxy]`: where the loopback proxy listens, and which way requests go.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::core::{config::read::Item, origin::Origin, text::printable};

/// `[proxy]`: the loopback proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// `listen`: where to listen. Empty: [`DEFAULT_LISTEN`].
    pub listen: Vec<Loopback>,
    /// `upstream`: the corporate proxies, in order. Empty: everything goes direct.
    pub upstream: Vec<Upstream>,
    /// `pac`: the script that names the corporate proxies; `upstream` is used where it fails.
    pub pac: Option<PacSource>,
    /// `no_proxy`: what goes direct, in the grammar of `NO_PROXY`.
    pub no_proxy: String,
    /// `allow`: targets that are refused by default (loopback, link-local), as CIDR blocks or addresses.
    pub allow: Vec<String>,
    /// `access_log`: the file that gets a JSON line for each request. Absent: there is none.
    pub access_log: Option<PathBuf>,
}

/// Where the proxy listens when nothing says otherwise.
pub const DEFAULT_LISTEN: [&str; 2] = ["127.0.0.1:7407", "[::1]:7407"];
/// Where the module proxy's front listens when nothing says otherwise.
pub const DEFAULT_GOPROXY: &str = "127.0.0.1:7408";

impl Proxy {
    /// Sets one key; the error is what its value must be.
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "access_log" => self.access_log = Some(item.file()?),
            "allow" => self.allow = item.texts()?.to_vec(),
            "listen" => {
                let parsed: Option<_> = item.texts()?.iter().map(|t| Loopback::parse(t)).collect();
                self.listen = parsed
                    .ok_or("must be loopback addresses with a port, such as `127.0.0.1:7407`")?;
            }
            "no_proxy" => item.text()?.clone_into(&mut self.no_proxy),
            #[cfg(feature = "full")]
            "pac" => self.pac = Some(PacSource::parse(item.text()?).map_err(told)?),
            // The helper asks no script.
            #[cfg(not(feature = "full"))]
            "pac" => {}
            _ => {
                let parsed: Result<_, _> =
                    item.texts()?.iter().map(|text| Upstream::parse(text)).collect();
                self.upstream = parsed.map_err(told)?;
            }
        }
        Ok(())
    }
}

fn told(error: impl std::error::Error) -> String {
    format!("is wrong: {error}")
}

/// A loopback address and port. There is no way to build one of another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(SocketAddr);

impl Loopback {
    /// Parses `127.0.0.1:7407` or `[::1]:7407`; port 0 lets the system choose.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<SocketAddr>().ok().and_then(Self::new)
    }

    /// Takes an address, if it is one of loopback.
    pub fn new(address: SocketAddr) -> Option<Self> {
        address.ip().is_loopback().then_some(Self(address))
    }

    /// Returns the address.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

/// One element of `upstream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// No proxy.
    Direct,
    /// `http://`, `https://` or `socks5h://host[:port]`; the port is [`upstream_port`].
    Via(Origin),
}

impl Upstream {
    /// Parses `DIRECT`, or the URL of a proxy with an optional slash at the end.
    pub fn parse(text: &str) -> Result<Self, UpstreamError> {
        if text.eq_ignore_ascii_case("DIRECT") {
            return Ok(Self::Direct);
        }
        let (origin, path) = Origin::from_url(text)?;
        match (upstream_port(&origin), path) {
            (Some(_), "" | "/") => Ok(Self::Via(origin)),
            (Some(_), _) => Err(UpstreamError::Path),
            (None, _) if origin.scheme() == "socks5" => Err(UpstreamError::Socks5),
            (None, _) => Err(UpstreamError::Scheme),
        }
    }
}

/// Returns the port of a proxy: the written one, or that of its scheme. `None` is a scheme that no
/// proxy of ours has.
pub fn upstream_port(origin: &Origin) -> Option<u16> {
    let own = match origin.scheme() {
        "http" => 80,
        "https" => 443,
        "socks5h" => 1080,
        _ => return None,
    };
    Some(origin.port().unwrap_or(own))
}

/// Why a text is not an upstream.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UpstreamError {
    /// Not an origin.
    #[error(transparent)]
    Origin(#[from] crate::core::origin::Error),
    /// There is a path.
    #[error("a proxy URL has no path")]
    Path,
    /// `socks5://`, which lets the client resolve names.
    #[error("write socks5h://, so that the proxy resolves names")]
    Socks5,
    /// Not a scheme of ours.
    #[error("the scheme of an upstream proxy must be http, https or socks5h")]
    Scheme,
}

/// Where the script is that names the corporate proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacSource {
    /// `"desktop"`: what the desktop's settings say.
    Desktop,
    /// An absolute path, one below `~/`, or a `file://` URL.
    File(PathBuf),
    /// An `http://` or `https://` URL.
    Url(String),
    /// `"wpad"`: what the name `wpad` of the own domain serves.
    Wpad,
}

impl PacSource {
    /// Parses the value of `pac`.
    pub fn parse(text: &str) -> Result<Self, PacError> {
        match text {
            "desktop" => return Ok(Self::Desktop),
            "wpad" => return Ok(Self::Wpad),
            _ => {}
        }
        if let Some(path) = text.strip_prefix("file://") {
            let path = path.strip_prefix("localhost").unwrap_or(path);
            return file_url(path).map(Self::File).ok_or(PacError::FileUrl);
        }
        if text.contains("://") {
            let (origin, _) = Origin::from_url(text)?;
            let is_plain = |c: char| c.is_ascii_graphic() && !"#\\\"<>^`{|}".contains(c);
            return match origin.scheme() {
                "http" | "https" if text.chars().all(is_plain) => Ok(Self::Url(text.to_owned())),
                "http" | "https" => Err(PacError::Url),
                _ => Err(PacError::Scheme),
            };
        }
        file(text).map(Self::File).ok_or(PacError::Neither)
    }
}

impl fmt::Display for PacSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Desktop => f.write_str("desktop"),
            Self::File(path) => f.write_str(&printable(&path.display().to_string())),
            Self::Url(url) => f.write_str(url),
            Self::Wpad => f.write_str("wpad"),
        }
    }
}

/// Why a text is not the place of a script.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PacError {
    /// A `file://` URL of another machine, or without an absolute path.
    #[error("a file URL is file:///, and the rest of an absolute path")]
    FileUrl,
    /// Not a place at all.
    #[error("\"desktop\", \"wpad\", an absolute path, or a URL")]
    Neither,
    /// Not an origin.
    #[error(transparent)]
    Origin(#[from] crate::core::origin::Error),
    /// A URL of something else.
    #[error("the scheme of its URL must be http, https or file")]
    Scheme,
    /// A URL with a character that no URL has.
    #[error("its URL has a character that does not belong in a URL, or a fragment")]
    Url,
}

/// Parses an absolute path, or one below `~/`.
pub(super) fn file(text: &str) -> Option<PathBuf> {
    let is_whole = Path::new(text).is_absolute()
        || text.strip_prefix("~/").is_some_and(|rest| !rest.is_empty());
    (is_whole && !text.contains(char::is_control)).then(|| PathBuf::from(text))
}

/// Parses the path of a `file://` URL (RFC 8089).
fn file_url(path: &str) -> Option<PathBuf> {
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return None;
    }
    // On Windows it is `/C:/…`.
    let path = if cfg!(windows) { path.trim_start_matches('/') } else { path };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            bytes.push(u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    file(&String::from_utf8(bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Loopback, PacError, PacSource, Upstream, UpstreamError, upstream_port};

    #[test]
    fn only_loopback_is_listened_on() {
        assert!(Loopback::parse("127.0.0.1:0").is_some());
        assert!(Loopback::parse("[::1]:7407").is_some());
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost:1", "127.0.0.1"] {
            assert_eq!(Loopback::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_upstream_is_http_https_or_socks5h_and_has_its_port() {
        for (text, port) in
            [("http://p", 80), ("https://p/", 443), ("socks5h://p", 1080), ("https://p:8443", 8443)]
        {
            let Ok(Upstream::Via(origin)) = Upstream::parse(text) else { panic!("{text}") };
            assert_eq!(upstream_port(&origin), Some(port), "{text}");
        }
        assert_eq!(Upstream::parse("direct"), Ok(Upstream::Direct));
        assert_eq!(Upstream::parse("socks5://p"), Err(UpstreamError::Socks5));
        assert_eq!(Upstream::parse("socks4://p"), Err(UpstreamError::Scheme));
        assert_eq!(Upstream::parse("http://p/x"), Err(UpstreamError::Path));
    }

    #[cfg(unix)]
    #[test]
    fn a_script_is_named_in_six_ways() {
        let file = |path| Ok(PacSource::File(PathBuf::from(path)));
        for (text, source) in [
            ("desktop", Ok(PacSource::Desktop)),
            ("wpad", Ok(PacSource::Wpad)),
            ("/etc/proxy.pac", file("/etc/proxy.pac")),
            ("~/proxy.pac", file("~/proxy.pac")),
            ("file:///etc/my%20proxy.pac", file("/etc/my proxy.pac")),
            ("file://localhost/etc/p.pac", file("/etc/p.pac")),
            ("http://wpad.corp/p.pac?x=1", Ok(PacSource::Url("http://wpad.corp/p.pac?x=1".into()))),
            ("file://fileserver/p.pac", Err(PacError::FileUrl)),
            ("file:///a%0", Err(PacError::FileUrl)),
            ("file:///a%00", Err(PacError::FileUrl)),
            ("proxy.pac", Err(PacError::Neither)),
            ("~/", Err(PacError::Neither)),
            ("ftp://h/p.pac", Err(PacError::Scheme)),
            ("https://h/p.pac#x", Err(PacError::Url)),
            ("https://h/p q", Err(PacError::Url)),
            ("https://ana:pw@h/", Err(PacError::Origin(crate::core::origin::Error::Userinfo))),
        ] {
            assert_eq!(PacSource::parse(text), source, "{text}");
        }
    }
}
