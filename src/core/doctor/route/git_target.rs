//! Where git really goes for a URL: after `insteadOf`, taken apart.

use crate::core::{
    doctor::{
        machine::Machine,
        place::Place,
        route::{
            Link,
            git_url::{self, Parts},
            rewrite,
        },
    },
    origin::Origin,
};

/// What git appends to the URL of a repository for its first request.
const FIRST_REQUEST: &str = "/info/refs?service=git-upload-pack";

/// Where git goes.
pub(crate) struct GitTarget {
    /// The URL as git has it, which may hold a secret: what `http.<url>.*` is compared with.
    pub(crate) url: String,
    /// What is asked, without userinfo. `None`: nothing that a URL could say.
    pub(crate) link: Option<Link>,
    /// What the URL says, userinfo included; `None` where nothing was rewritten.
    pub(crate) userinfo: Option<Parts>,
    /// The rule that rewrote it.
    pub(crate) place: Option<Place>,
}

/// Follows the rules of git's configuration. A link to a repository's first request is followed as the
/// repository.
pub(crate) fn of(link: &Link, machine: &Machine) -> GitTarget {
    let asked = link.to_string();
    let (repository, request) = match asked.strip_suffix(FIRST_REQUEST) {
        Some(repository) => (repository, FIRST_REQUEST),
        None => (asked.as_str(), ""),
    };
    let rewritten = rewrite::fetch(machine, repository)
        .or_else(|| ssh_forms(link).iter().find_map(|form| rewrite::fetch(machine, form)));
    let Some((url, rule)) = rewritten else {
        let (url, link) = (repository.to_owned(), Some(link.clone()));
        return GitTarget { url, link, userinfo: None, place: None };
    };
    let place = Some(rule.place.clone());
    // What was no request over HTTP becomes one.
    let is_ssh = asked.starts_with("ssh://");
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    let link = if url.contains("://") { of_url(&url) } else { of_scp(&url) };
    let link = link.map(|mut link| {
        if is_web {
            let request = if request.is_empty() && is_ssh { FIRST_REQUEST } else { request };
            link.path.push_str(request);
        }
        link
    });
    let userinfo = if is_web { git_url::parts(&url) } else { None };
    GitTarget { url, link, userinfo, place }
}

/// Returns what else an ssh URL may have been before its user was taken away: git compares rules with what it
/// was given.
pub(crate) fn ssh_forms(link: &Link) -> Vec<String> {
    let Link { origin, path } = link;
    let (host, path) = (origin.authority(), path.trim_start_matches('/'));
    match origin.scheme() {
        "ssh" => vec![
            format!("ssh://git@{host}/{path}"),
            format!("git@{host}:{path}"),
            format!("{host}:{path}"),
        ],
        _ => Vec::new(),
    }
}

/// Returns origin and path of a URL, without its userinfo.
fn of_url(url: &str) -> Option<Link> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let origin = Origin::new(scheme, host).ok()?;
    Some(Link { origin, path: path.to_owned() })
}

/// `user@host:path`, where no slash stands before the colon (git's `url_is_local_not_ssh`).
fn of_scp(url: &str) -> Option<Link> {
    let (place, path) = url.split_once(':').filter(|(place, _)| !place.contains('/'))?;
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let origin = Origin::new("ssh", host).ok()?;
    Some(Link { origin, path: format!("/{}", path.trim_start_matches('/')) })
}
