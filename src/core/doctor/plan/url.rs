//! A URL: by git's way if it may be a repository, and by go's and curl's.

use secrecy::ExposeSecret as _;

use crate::core::doctor::{
    finding::Tool,
    leg::{Purpose, Wanted},
    machine::Machine,
    plan::{
        follow::{Ask, Follower, is_ssh},
        module::{self, Element},
        redirect,
    },
    route::{Link, Login, rewrite},
};

/// Follows a URL.
pub(super) fn follow(follower: &mut Follower<'_>, url: &str) {
    let Some(link) = redirect::url(url) else { return };
    let is_whole = |login: &Login| !login.secret.expose_secret().is_empty();
    let userinfo = follower.machine.asked_login.clone().filter(is_whole);
    let repository = of_repository(url, None, follower.machine)
        .filter(|_| is_ssh(&link) || may_be_repository(follower, &link))
        .map(|ask| Ask { userinfo: userinfo.clone(), ..ask });
    if let Some(ask) = &repository {
        follower.fetch(ask);
    }
    if is_ssh(&link) {
        return;
    }
    let link = repository.map_or(link, |ask| ask.link);
    for tool in [Tool::Go, Tool::Curl] {
        follower.fetch(&Ask {
            tool,
            purpose: Purpose::Plain,
            link: link.clone(),
            module: None,
            base: None,
            userinfo: userinfo.clone(),
        });
    }
}

/// Whether a URL can be a repository's, as far as it can be seen: it has a path, which is no module proxy's.
fn may_be_repository(follower: &Follower<'_>, link: &Link) -> bool {
    let is_plain = link.path == "/" || link.path.contains("/@") || link.path.contains("?go-get=1");
    let is_git = link.path.contains("/info/refs?") || !link.path.contains('?');
    let is_proxy = module::elements(follower.machine).0.iter().any(|(element, _)| match element {
        Element::Proxy(base, _) => {
            base.origin == link.origin && link.path.starts_with(base.path.trim_end_matches('/'))
        }
        Element::Direct | Element::Off | Element::Folder(_) | Element::Other => false,
    });
    is_git && !is_plain && !is_proxy
}

/// Returns what git asks of a repository first.
pub(super) fn of_repository(root: &str, module: Option<Wanted>, machine: &Machine) -> Option<Ask> {
    // A rule for `ssh://git@host/` is about the user, too, whom a link does not have.
    let rule = root.contains('@').then(|| rewrite::fetch(machine, root)).flatten();
    let mut link = redirect::url(rule.as_ref().map_or(root, |(url, _)| url))?;
    if ["http", "https"].contains(&link.origin.scheme()) && !link.path.contains("/info/refs?") {
        link.path =
            format!("{}/info/refs?service=git-upload-pack", link.path.trim_end_matches('/'));
    }
    Some(Ask {
        tool: Tool::Git,
        purpose: Purpose::Repository,
        link,
        module,
        base: None,
        userinfo: None,
    })
}
