//! Which proxy, which credential and which trust a tool uses for a URL, and where each of them is said.
//! Each tool by its own rules; what differs between them is the caller's to notice.

pub mod address;
pub mod curl_url;
pub mod differ;
pub mod git_config;
pub mod git_proxy;
pub(crate) mod git_target;
pub mod git_url;
pub mod go_url;
mod login;
pub(in crate::core::doctor) mod pinned;
mod proxy;
pub mod rewrite;
mod trust;

use std::path::PathBuf;

pub use self::pinned::Pinned;
use self::{git_target::GitTarget, proxy::Chosen};
use crate::core::{
    doctor::{finding::Tool, machine::Machine, place::Place, private::Private},
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
    /// The same for an `https://` proxy, where that differs.
    pub proxy: Option<Box<Self>>,
}

/// Returns the way of a tool to a URL. `None`: the tool does not know the scheme.
///
/// Where git's configuration rewrites the URL to another scheme, the link says so (`ssh://…`), and there is
/// no proxy, no login and no trust.
pub fn route(tool: Tool, link: &Link, machine: &Machine) -> Option<Route> {
    if !["http", "https"].contains(&link.origin.scheme()) {
        // A rule may lead it back to http.
        let is_rewritten = || git_target::of(link, machine).place.is_some();
        return (tool == Tool::Git && is_rewritten()).then(|| of_git(link, machine));
    }
    match tool {
        Tool::Git => Some(of_git(link, machine)),
        Tool::Go => {
            let (chosen, login) = (proxy::of_go(link, machine), login::of_go(link, machine));
            Some(plain(tool, link, chosen, login, trust::of_go(link, machine)))
        }
        Tool::Curl => {
            let (chosen, login) = (proxy::of_curl(link, machine), login::of_curl(link, machine));
            Some(plain(tool, link, chosen, login, trust::of_curl(machine)))
        }
    }
}

fn of_git(asked: &Link, machine: &Machine) -> Route {
    let GitTarget { url, link, userinfo, place } = git_target::of(asked, machine);
    let Some(link) = link else {
        // It is no URL that anybody could ask: a slash was lost, or it is a path of this machine.
        let via = Via::Broken { value: Private::new(url).to_string(), code: "G09" };
        let via_place = place.clone().unwrap_or(Place::Default("git"));
        let chosen = Chosen { via, place: via_place, passed_over: None };
        let route = plain(Tool::Git, asked, chosen, None, Trust::default());
        return Route { rewritten: place, ..route };
    };
    if !["http", "https"].contains(&link.origin.scheme()) {
        let chosen = Chosen::direct(Place::Default("git"));
        let route = plain(Tool::Git, &link, chosen, None, Trust::default());
        return Route { rewritten: place, ..route };
    }
    let said = place.clone().unwrap_or(Place::Default("git"));
    let login = login::of_git(&link, &url, userinfo.as_ref(), &said, machine);
    let chosen = git_proxy::of(&link, &url, machine);
    let route = plain(Tool::Git, &link, chosen, login, trust::of_git(&url, machine));
    Route { rewritten: place, ..route }
}

fn plain(tool: Tool, link: &Link, chosen: Chosen, login: Option<Login>, trust: Trust) -> Route {
    let Chosen { via, place, passed_over } = chosen;
    let (link, via_place) = (link.clone(), place);
    Route { tool, link, rewritten: None, via, via_place, passed_over, login, trust }
}
