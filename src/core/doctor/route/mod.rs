//! Which proxy, which credential and which trust a tool uses for a URL, and where each of them is said.
//! Each tool by its own rules; what differs between them is the caller's to notice.

mod login;
mod proxy;
mod trust;

use std::path::PathBuf;

use crate::core::{
    doctor::{finding::Tool, machine::Machine, place::Place},
    origin::Origin,
    secret::SecretString,
};

/// Where a request goes: an origin and what follows it, without userinfo and fragment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Scheme, host and port.
    pub origin: Origin,
    /// The path with its query, from `/`.
    pub path: String,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// The way of one tool to one URL.
#[derive(Clone, Debug)]
pub struct Route {
    /// Whose.
    pub tool: Tool,
    /// The URL, after the tool's own rewriting (`insteadOf`).
    pub link: Link,
    /// What rewrote it, where something did.
    pub rewritten: Option<Place>,
    /// The proxy, or none.
    pub via: Via,
    /// Where that is said.
    pub via_place: Place,
    /// The proxy that was passed over because of an exception, and where the exception is said.
    pub passed_over: Option<(String, Place)>,
    /// What the tool itself sends, without asking gocred: userinfo, netrc, a header of the configuration.
    pub login: Option<Login>,
    /// Whose certificates it trusts.
    pub trust: Trust,
}

/// Through what.
#[derive(Clone, Debug)]
pub enum Via {
    /// Straight.
    Direct,
    /// A proxy.
    Proxy(Proxy),
    /// A value that the tool does not understand, or understands in a way that nobody means.
    Broken {
        /// What it says, without secrets.
        value: String,
        /// The code that names it: `E37`, `E40`, `E41`, …
        code: &'static str,
    },
}

/// A proxy as a tool's setting names it.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http`, `https`, `socks5`, `socks5h`, `socks4`, `socks4a`.
    pub scheme: String,
    /// Its host.
    pub host: String,
    /// Its port, the tool's default where none is said.
    pub port: u16,
    /// The login of its userinfo.
    pub login: Option<Login>,
}

/// A login that would be sent. Its Debug shows no secret.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user; empty for a ready header.
    pub user: String,
    /// The password or token; for [`Scheme::Header`] the whole value.
    pub secret: SecretString,
    /// In which field.
    pub scheme: Scheme,
    /// Where it comes from.
    pub place: Place,
}

/// How a login is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// A field of this name with the secret as its value.
    Header(String),
}

/// Whose certificates are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The file that stands in place of the system's, or beside it; and where that is said.
    pub file: Option<(PathBuf, String)>,
    /// The folder.
    pub folder: Option<(PathBuf, String)>,
    /// Whether the system's own are trusted as well.
    pub has_system: bool,
    /// Whether verification is switched off (`http.sslVerify=false`, GOINSECURE).
    pub is_off: bool,
}

/// Returns the way of a tool to a URL. `None`: the tool does not know the scheme.
pub fn route(tool: Tool, link: &Link, machine: &Machine) -> Option<Route> {
    if !["http", "https"].contains(&link.origin.scheme()) {
        return None;
    }
    let chosen = match tool {
        Tool::Go => proxy::of_go(link, machine),
        Tool::Git => proxy::of_git(link, machine),
        Tool::Curl => proxy::of_curl(link, machine),
    };
    Some(Route {
        tool,
        link: link.clone(),
        rewritten: None,
        via: chosen.via,
        via_place: chosen.place,
        passed_over: chosen.passed_over,
        login: login::of(tool, link, machine),
        trust: trust::of(tool, link, machine),
    })
}
