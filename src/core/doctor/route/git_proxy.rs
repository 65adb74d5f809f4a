//! Which proxy git takes: `remote.<url>.proxy`, `http.<url>.proxy`, the variables as git itself reads them
//! (http.c of 2.47: a variable that is set and empty switches the proxy off), and then libcurl's reading of
//! what is left of the value.

use crate::core::{
    doctor::{
        machine::Machine,
        place::Place,
        private::Private,
        route::{
            Link, Via,
            address::Address,
            curl_url::{self, Flaw},
            git_config,
            git_url::{self, Parts},
            proxy::{Chosen, blame, broken, curl_via, host, port},
        },
    },
    noproxy,
    secret::SecretString,
};

/// Returns the only way in which git may log in at a proxy, and where that is said; `None`: any way
/// (http.c `init_curl_proxy_auth`).
pub fn method(machine: &Machine, url: &str) -> Option<(Private, Place)> {
    const VARIABLE: &str = "GIT_HTTP_PROXY_AUTHMETHOD";
    let own = git_config::best(&machine.git_config, ("http", "proxyauthmethod"), url);
    let of_variable =
        || Some((machine.variable(VARIABLE)?.clone(), Place::Variable(VARIABLE.to_owned())));
    let (method, place) =
        of_variable().or_else(|| own.map(|own| (own.value.clone(), own.place.clone())))?;
    let known = ["basic", "digest", "negotiate", "ntlm"];
    known.contains(&method.raw().to_ascii_lowercase().as_str()).then_some((method, place))
}

/// Returns what git takes for a URL, which is given as git has it, userinfo included.
pub(super) fn of(link: &Link, url: &str, machine: &Machine) -> Chosen {
    let Some((value, place)) = value(link, url, machine) else {
        return Chosen::direct(Place::Default("git"));
    };
    if value.raw().is_empty() {
        return Chosen::direct(place);
    }
    // What git itself refuses it refuses before any exception; libcurl looks at exceptions first.
    let is_refused = parts(value.raw()).is_none_or(|parts| !parts.path.is_empty());
    if is_refused {
        let via = broken(&value, blame(value.raw(), Flaw::Syntax));
        return Chosen { via, place, passed_over: None };
    }
    // Set and empty counts here, too: it hides the other one.
    let list = ["no_proxy", "NO_PROXY"]
        .iter()
        .find_map(|name| Some((name, machine.variables.get(*name)?)));
    if let Some((exception, list)) = list
        && noproxy::curl(list.raw(), host(link), port(link))
    {
        return Chosen::excepted(&value, place, Place::Variable((*exception).to_owned()));
    }
    let address = match read(value.raw()) {
        // An unknown scheme is passed over, and asked as an HTTP proxy: without a port, nobody means that.
        Ok(Some(address)) if address.port.is_empty() && !has_known_scheme(value.raw()) => {
            let via = broken(&value, blame(value.raw(), Flaw::Scheme));
            return Chosen { via, place, passed_over: None };
        }
        Ok(Some(address)) => address,
        Ok(None) => return Chosen::direct(place),
        Err(flaw) => {
            let via = broken(&value, blame(value.raw(), flaw));
            return Chosen { via, place, passed_over: None };
        }
    };
    let via: Via = curl_via(&value, address, &place);
    Chosen { via, place, passed_over: None }
}

/// Returns the value that counts, and where it stands.
fn value(link: &Link, url: &str, machine: &Machine) -> Option<(Private, Place)> {
    let of_remote = machine.git_value(&format!("remote.{url}.proxy"));
    let configured =
        of_remote.or_else(|| git_config::best(&machine.git_config, ("http", "proxy"), url));
    if let Some(value) = configured {
        return Some((value.value.clone(), value.place.clone()));
    }
    let names: &[&str] = match link.origin.scheme() {
        "https" => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    names.iter().find_map(|name| {
        let value = machine.variables.get(*name)?;
        Some((value.clone(), Place::Variable((*name).to_owned())))
    })
}

fn has_known_scheme(value: &str) -> bool {
    let scheme = value.split_once("://").map_or("http", |(scheme, _)| scheme);
    curl_url::SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
}

/// Takes a value apart as git does, before libcurl gets what is left.
fn parts(value: &str) -> Option<Parts> {
    if value.contains("://") {
        return git_url::parts(value);
    }
    git_url::parts(&format!("http://{value}"))
}

/// Reads a value that is not empty. `None`: git hands libcurl an empty host, which means no proxy.
pub fn read(value: &str) -> Result<Option<Address>, Flaw> {
    // The kind is what the value begins with, with or without `://`.
    let kinds = [
        ("socks5h", "socks5h"),
        ("socks5", "socks5"),
        ("socks4a", "socks4a"),
        ("socks", "socks4"),
        ("https", "https"),
    ];
    let kind =
        kinds.iter().find(|(prefix, _)| value.starts_with(prefix)).map_or("http", |(_, kind)| kind);
    let Parts { user, password, host, path } = parts(value).ok_or(Flaw::Syntax)?;
    if !path.is_empty() {
        return Err(Flaw::Syntax);
    }
    if host.is_empty() {
        return Ok(None);
    }
    let mut address = curl_url::proxy(&host)?;
    kind.clone_into(&mut address.scheme);
    if address.login.is_none() && (user.is_some() || password.is_some()) {
        let password = password.unwrap_or_else(|| SecretString::from(String::new()));
        address.login = Some((user.unwrap_or_default(), password));
    }
    Ok(Some(address))
}
