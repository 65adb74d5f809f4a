//! What a tool itself sends to an origin, without asking a helper or gocred: a header of the configuration,
//! userinfo, netrc in its own dialect.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        machine::{GitValue, Machine},
        place::Place,
        plan::goauth,
        route::{Link, Login, Scheme, git_config, git_url::Parts},
    },
    netrc::{self, Found},
    secret::SecretString,
};

/// Returns what go sends: netrc, where GOAUTH names it, and nothing of it in clear
/// (cmd/go/internal/web `securityMode`).
pub(super) fn of_go(link: &Link, machine: &Machine) -> Option<Login> {
    if link.origin.scheme() != "https" || !asks_netrc(machine) {
        return None;
    }
    let path = match machine.variable("NETRC") {
        Some(path) => PathBuf::from(path.raw()),
        None => machine.home.as_ref()?.join(".netrc"),
    };
    let path_of_url = link.path.split(['?', '#']).next().unwrap_or_default();
    let mut prefix = format!("{}{}", link.origin.authority(), path_of_url.trim_end_matches('/'));
    loop {
        let found = read(&path, machine, |text| netrc::go::lookup(text, &prefix).ok()?);
        if found.is_some() {
            return found;
        }
        // Go 1.25 and later know entries for a path, too; the longest one counts.
        prefix.truncate(prefix.rfind('/')?);
    }
}

/// Returns what curl sends with `--netrc`.
pub(super) fn of_curl(link: &Link, machine: &Machine) -> Option<Login> {
    let user = machine.asked_user();
    let path = machine.home.as_ref()?.join(".netrc");
    read(&path, machine, |text| netrc::curl::lookup(text, link.origin.host(), user).ok()?)
}

/// Returns what git sends: a header, whatever a server wants; then what the URL holds; then netrc, which
/// libcurl reads from `~/.netrc` only.
pub(super) fn of_git(
    link: &Link,
    url: &str,
    userinfo: Option<&Parts>,
    place: &Place,
    machine: &Machine,
) -> Option<Login> {
    let headers = git_config::list(machine, ("http", "extraheader"), url);
    if let Some(login) = headers.into_iter().rev().find_map(header) {
        return Some(login);
    }
    let user = userinfo.and_then(|parts| parts.user.as_deref()).filter(|user| !user.is_empty());
    if let Some(password) = userinfo.and_then(|parts| parts.password.clone()) {
        let (user, place) = (user.unwrap_or_default().to_owned(), place.clone());
        return Some(Login { user, secret: password, scheme: Scheme::Basic, place });
    }
    let user = user.or_else(|| machine.asked_user());
    let path = machine.home.as_ref()?.join(".netrc");
    read(&path, machine, |text| netrc::curl::lookup(text, link.origin.host(), user).ok()?)
}

/// Whether go looks into netrc: GOAUTH says so, or nothing.
fn asks_netrc(machine: &Machine) -> bool {
    let (commands, _) = goauth::commands(machine);
    let is_off = commands.iter().any(|command| matches!(command, goauth::Command::Off));
    !is_off && commands.iter().any(|command| matches!(command, goauth::Command::Netrc))
}

fn read(
    path: &PathBuf,
    machine: &Machine,
    find: impl FnOnce(&[u8]) -> Option<Found>,
) -> Option<Login> {
    let found = find(machine.netrc.get(path)?.text.as_ref()?.expose_secret().as_bytes())?;
    Some(Login {
        user: found.login.unwrap_or_default(),
        secret: found.password.unwrap_or_else(|| SecretString::from(String::new())),
        scheme: Scheme::Basic,
        place: Place::File(path.clone(), Some(found.line)),
    })
}

/// Returns the login of a header that is one.
fn header(value: &GitValue) -> Option<Login> {
    let (name, secret) = value.value.raw().split_once(':')?;
    let name = name.trim();
    ["authorization", "private-token"].contains(&name.to_ascii_lowercase().as_str()).then(|| {
        Login {
            user: String::new(),
            secret: SecretString::from(secret.trim().to_owned()),
            scheme: Scheme::Header(name.to_owned()),
            place: value.place.clone(),
        }
    })
}
