//! Which proxy each tool takes for a URL: Go's `http.ProxyFromEnvironment`, git's `http.proxy`, libcurl's
//! variables.

use crate::core::{
    doctor::{
        finding::Tool,
        machine::Machine,
        place::Place,
        private::Private,
        route::{Link, Login, Proxy, Scheme, Via},
    },
    noproxy,
    secret::SecretString,
};

/// What a tool chose, and why.
pub(super) struct Chosen {
    pub(super) via: Via,
    pub(super) place: Place,
    pub(super) passed_over: Option<(String, Place)>,
}

impl Chosen {
    fn direct(tool: &'static str) -> Self {
        Self { via: Via::Direct, place: Place::Default(tool), passed_over: None }
    }
}

/// Go: the upper-case variable first, `NO_PROXY` as x/net `httpproxy` reads it, never for loopback.
pub(super) fn of_go(link: &Link, machine: &Machine) -> Chosen {
    let names: &[&str] = match link.origin.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy"],
        _ => &["HTTP_PROXY", "http_proxy"],
    };
    let Some((name, value)) = first(machine, names) else { return Chosen::direct("go") };
    let place = Place::Variable(name.to_owned());
    // A CGI program's HTTP_PROXY is a header of its client (golang.org/s/cgihttpproxy).
    if name == "HTTP_PROXY" && machine.variable("REQUEST_METHOD").is_some() {
        return Chosen { via: broken(value, "E42"), place, passed_over: None };
    }
    if let Some((exception, list)) = first(machine, &["NO_PROXY", "no_proxy"])
        && noproxy::go(list.raw(), link.origin.host(), port(link))
    {
        let passed_over = Some((value.to_string(), Place::Variable(exception.to_owned())));
        return Chosen { via: Via::Direct, place, passed_over };
    }
    Chosen { via: parse(value, Tool::Go, &place), place, passed_over: None }
}

/// git: `http.<url>.proxy`, `http.proxy`, then what libcurl reads.
pub(super) fn of_git(link: &Link, machine: &Machine) -> Chosen {
    let Some(value) = machine.git_value("http.proxy") else { return of_curl(link, machine) };
    let place = value.place.clone();
    if value.value.raw().is_empty() {
        return Chosen { via: Via::Direct, place, passed_over: None };
    }
    excepted(link, machine, &value.value, place)
}

/// curl: the lower-case variable first, `HTTP_PROXY` never, then ALL_PROXY.
pub(super) fn of_curl(link: &Link, machine: &Machine) -> Chosen {
    let names: &[&str] = match link.origin.scheme() {
        "https" => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let Some((name, value)) = first(machine, names) else { return Chosen::direct("curl") };
    excepted(link, machine, value, Place::Variable(name.to_owned()))
}

fn excepted(link: &Link, machine: &Machine, value: &Private, place: Place) -> Chosen {
    if let Some((exception, list)) = first(machine, &["no_proxy", "NO_PROXY"])
        && noproxy::curl(list.raw(), link.origin.host(), port(link))
    {
        let passed_over = Some((value.to_string(), Place::Variable(exception.to_owned())));
        return Chosen { via: Via::Direct, place, passed_over };
    }
    Chosen { via: parse(value, Tool::Curl, &place), place, passed_over: None }
}

fn first<'a>(machine: &'a Machine, names: &[&'static str]) -> Option<(&'static str, &'a Private)> {
    names.iter().find_map(|name| Some((*name, machine.variable(name)?)))
}

fn port(link: &Link) -> u16 {
    let default = if link.origin.scheme() == "https" { 443 } else { 80 };
    link.origin.port().unwrap_or(default)
}

fn broken(value: &Private, code: &'static str) -> Via {
    Via::Broken { value: value.to_string(), code }
}

/// Reads a proxy's URL as its tool does.
fn parse(value: &Private, tool: Tool, place: &Place) -> Via {
    let text = value.raw();
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    if !["http", "https", "socks5", "socks5h", "socks4", "socks4a"].contains(&scheme.as_str()) {
        return broken(value, "E41");
    }
    let (userinfo, place_of_it) = match rest.rsplit_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    if userinfo.is_some_and(|userinfo| userinfo.contains(['/', '?', '#'])) {
        return broken(value, "E37");
    }
    let authority = place_of_it.split(['/', '?', '#']).next().unwrap_or_default();
    let default = match (scheme.as_str(), tool) {
        ("https", _) => 443,
        ("http", Tool::Go) => 80,
        _ => 1080,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !port.contains(']') => {
            match port.parse::<u16>() {
                Ok(port) if port > 0 => (host, port),
                _ if port.is_empty() => (host, default),
                _ => return broken(value, "E40"),
            }
        }
        _ => (authority, default),
    };
    let login = userinfo.map(|userinfo| {
        let (user, secret) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        Login {
            user: decoded(user),
            secret: SecretString::from(decoded(secret)),
            scheme: Scheme::Basic,
            place: place.clone(),
        }
    });
    Via::Proxy(Proxy { scheme, host: host.to_owned(), port, login })
}

/// Undoes percent-encoding; a broken triplet stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let pair = behind.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.filter(|_| *first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
