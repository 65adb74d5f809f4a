//! Which redirects each tool follows, and which login goes along (RFC 9110 §15.4).

use crate::core::{
    doctor::{
        finding::Tool,
        leg::Purpose,
        machine::{GitValue, Machine},
        plan::follow::Ask,
        probe::{Exchange, Http, Trace},
        route::{Link, Login, Route, git_config},
    },
    origin::Origin,
};

/// What git's URL ends with, and has to end with after a redirect (remote-curl.c `update_url_from_redirect`).
const TAIL: &str = "/info/refs?service=git-upload-pack";

/// Whether a status is a redirect that net/http and libcurl follow.
pub(super) fn is_redirect(status: Option<u16>) -> bool {
    matches!(status, Some(301 | 302 | 303 | 307 | 308))
}

/// Whether git is told to follow no redirect (`http.followRedirects=false`, G40).
pub(in crate::core::doctor) fn is_forbidden(tool: Tool, from: &Link, machine: &Machine) -> bool {
    tool == Tool::Git
        && setting(from, machine).is_some_and(|value| {
            ["false", "no", "off", "0"].contains(&value.value.raw().to_ascii_lowercase().as_str())
        })
}

/// Returns what git's configuration says of redirects of a URL.
pub(in crate::core::doctor) fn setting<'a>(
    from: &Link,
    machine: &'a Machine,
) -> Option<&'a GitValue> {
    git_config::best(&machine.git_config, ("http", "followredirects"), &from.to_string())
}

/// Returns where a tool goes on. `None`: it gives up here, and the redirect itself is the last answer.
pub(super) fn follow(
    ask: &Ask,
    earlier: &[(Exchange, &Trace)],
    from: &Link,
    http: &Http,
) -> Option<Link> {
    let to = resolve(from, http.field("location")?)?;
    let is_known = to == *from || earlier.iter().any(|(exchange, _)| exchange.link == to);
    // net/http stops after 10, libcurl as git sets it after 20; a loop ends in the same way, only sooner.
    if is_known || earlier.len() >= if ask.tool == Tool::Go { 10 } else { 20 } {
        return None;
    }
    match ask.tool {
        // cmd/go/internal/web: `securityPreservingHTTPClient`.
        Tool::Go => {
            (from.origin.scheme() != "https" || to.origin.scheme() == "https").then_some(to)
        }
        Tool::Git => (ask.purpose == Purpose::Repository && to.path.ends_with(TAIL)).then_some(to),
        Tool::Curl => None,
    }
}

/// Returns the login that goes along. Go keeps what it sent for the same host and those below it (net/http
/// `shouldCopyHeaderOnRedirect`) and looks nothing up; libcurl sends what it was given to the same host only, and
/// looks into netrc for the new one.
pub(super) fn login(tool: Tool, login: Option<Login>, from: &Link, next: &Route) -> Option<Login> {
    let (old, new) = (&from.origin, &next.link.origin);
    let is_below = new.host().strip_suffix(old.host()).is_some_and(|rest| rest.ends_with('.'));
    match tool {
        Tool::Go => login.filter(|_| new.host() == old.host() || is_below),
        Tool::Git | Tool::Curl => login.filter(|_| new == old).or_else(|| next.login.clone()),
    }
}

/// Resolves a `Location` (RFC 3986 §5.2), without userinfo and fragment. `None`: it is no HTTP URL.
pub(in crate::core::doctor) fn resolve(from: &Link, location: &str) -> Option<Link> {
    let location = location.split('#').next().unwrap_or_default().trim();
    if let Some((scheme, rest)) = location.split_once("://")
        && !scheme.contains(['/', '?'])
    {
        let scheme = scheme.to_ascii_lowercase();
        return url(&format!("{scheme}://{rest}"));
    }
    if let Some(rest) = location.strip_prefix("//") {
        return url(&format!("{}://{rest}", from.origin.scheme()));
    }
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        let base = from.path.split('?').next().unwrap_or_default();
        if location.starts_with('?') {
            format!("{base}{location}")
        } else {
            let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        }
    };
    Some(Link { origin: from.origin.clone(), path })
}

/// Reads a URL; userinfo is dropped, and the port that its scheme has anyway.
pub(in crate::core::doctor) fn url(text: &str) -> Option<Link> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(authority).trim_end_matches(':');
    let origin = Origin::new(&scheme, authority).ok().filter(|origin| is_host(origin.host()))?;
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some(Link { origin, path })
}

/// Whether a host is made of what names and addresses are made of. What else may stand in a URL (RFC 3986
/// `sub-delims`) is in no name, and a shell acts on it: a server could write into the commands that are shown.
fn is_host(host: &str) -> bool {
    host.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._[]:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{resolve, url};

    #[test]
    fn a_location_is_read_against_where_it_came_from() {
        let from = url("https://h.test/a/b?x=1").unwrap();
        for (location, to) in [
            ("https://i.test/c", "https://i.test/c"),
            ("HTTP://u:p@i.test:80", "http://i.test/"),
            ("//i.test/c?d#e", "https://i.test/c?d"),
            ("/c", "https://h.test/c"),
            ("c", "https://h.test/a/c"),
            ("?y", "https://h.test/a/b?y"),
        ] {
            assert_eq!(resolve(&from, location).unwrap().to_string(), to);
        }
        for bad in ["mailto://", "https://$(id).h.test/", "https://h.test;id/", "//h'i/"] {
            assert_eq!(resolve(&from, bad), None, "{bad}");
        }
    }
}
