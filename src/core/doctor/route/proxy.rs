//! Which proxy each tool takes for a URL: Go's `http.ProxyFromEnvironment`, git's `http.proxy`, libcurl's
//! variables.

use crate::core::{
    doctor::{
        machine::Machine,
        place::Place,
        private::Private,
        route::{
            Link, Login, Proxy, Scheme, Via,
            address::{Address, triplet},
            curl_url::{self, Flaw},
            go_url,
        },
    },
    noproxy,
};

/// What a tool chose, and why.
pub(super) struct Chosen {
    pub(super) via: Via,
    pub(super) place: Place,
    pub(super) passed_over: Option<(String, Place)>,
}

impl Chosen {
    pub(super) fn direct(place: Place) -> Self {
        Self { via: Via::Direct, place, passed_over: None }
    }

    pub(super) fn excepted(value: &Private, place: Place, exception: Place) -> Self {
        let passed_over = Some((value.to_string(), exception));
        Self { via: Via::Direct, place, passed_over }
    }
}

/// Go: the upper-case variable first, `NO_PROXY` as x/net `httpproxy` reads it, never for loopback.
pub(super) fn of_go(link: &Link, machine: &Machine) -> Chosen {
    let names: &[&str] = match link.origin.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy"],
        _ => &["HTTP_PROXY", "http_proxy"],
    };
    let Some((name, value)) = first(machine, names) else {
        return Chosen::direct(Place::Default("go"));
    };
    let place = Place::Variable(name.to_owned());
    // A CGI program's HTTP_PROXY is a header of its client (golang.org/s/cgihttpproxy).
    let is_cgi = link.origin.scheme() == "http" && machine.variable("REQUEST_METHOD").is_some();
    if is_cgi && go_url::proxy(value.raw()).is_some() {
        return Chosen { via: broken(value, "E42"), place, passed_over: None };
    }
    let (host, port) = (host(link), port(link));
    if noproxy::go("", host, port) {
        return Chosen::excepted(value, place, Place::Default("go"));
    }
    if let Some((exception, list)) = first(machine, &["NO_PROXY", "no_proxy"])
        && noproxy::go(list.raw(), host, port)
    {
        return Chosen::excepted(value, place, Place::Variable(exception.to_owned()));
    }
    Chosen { via: go_via(value, &place), place, passed_over: None }
}

/// curl: the lower-case variable first, `HTTP_PROXY` never, then `ALL_PROXY`. An empty one counts as unset.
pub(super) fn of_curl(link: &Link, machine: &Machine) -> Chosen {
    let names: &[&str] = match link.origin.scheme() {
        "https" => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let Some((name, value)) = first(machine, names) else {
        return Chosen::direct(Place::Default("curl"));
    };
    let place = Place::Variable(name.to_owned());
    if let Some((exception, list)) = first(machine, &["no_proxy", "NO_PROXY"])
        && noproxy::curl(list.raw(), host(link), port(link))
    {
        return Chosen::excepted(value, place, Place::Variable(exception.to_owned()));
    }
    let via = match curl_url::proxy(value.raw()) {
        Ok(address) => curl_via(value, address, &place),
        Err(flaw) => broken(value, blame(value.raw(), flaw)),
    };
    Chosen { via, place, passed_over: None }
}

pub(super) fn first<'a>(
    machine: &'a Machine,
    names: &[&'static str],
) -> Option<(&'static str, &'a Private)> {
    names.iter().find_map(|name| Some((*name, machine.variable(name)?)))
}

/// Returns the host without brackets.
pub(super) fn host(link: &Link) -> &str {
    let host = link.origin.host();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

pub(super) fn port(link: &Link) -> u16 {
    let default = if link.origin.scheme() == "https" { 443 } else { 80 };
    link.origin.port().unwrap_or(default)
}

pub(super) fn broken(value: &Private, code: &'static str) -> Via {
    Via::Broken { value: value.to_string(), code }
}

/// What Go dials (net/http `connectMethod`).
fn go_via(value: &Private, place: &Place) -> Via {
    let Some(mut address) = go_url::proxy(value.raw()) else {
        return broken(value, blame(value.raw(), Flaw::Syntax));
    };
    let default = match address.scheme.as_str() {
        "http" => 80,
        "https" => 443,
        "socks5" | "socks5h" => 1080,
        // Any other is passed over: what is dialled is an HTTP proxy, if its port is said.
        _ if !address.port.is_empty() => {
            "http".clone_into(&mut address.scheme);
            80
        }
        _ => return broken(value, blame(value.raw(), Flaw::Scheme)),
    };
    if is_cut(value.raw()) {
        return broken(value, "E37");
    }
    via(value, address, default, place)
}

/// What libcurl dials.
pub(super) fn curl_via(value: &Private, mut address: Address, place: &Place) -> Via {
    if is_cut(value.raw()) {
        return broken(value, "E37");
    }
    if address.scheme == "socks" {
        "socks4".clone_into(&mut address.scheme);
    }
    let default = if address.scheme == "https" { 443 } else { 1080 };
    via(value, address, default, place)
}

fn via(value: &Private, address: Address, default: u16, place: &Place) -> Via {
    let Address { scheme, host, port, login } = address;
    let port = match port.parse::<u16>() {
        Ok(port) if port > 0 => port,
        _ if port.is_empty() => default,
        _ => return broken(value, "E40"),
    };
    if host.is_empty() {
        return broken(value, "E40");
    }
    let login = login.map(|(user, secret)| {
        let place = place.clone();
        Login { user, secret, scheme: Scheme::Basic, place }
    });
    Via::Proxy(Proxy { scheme, host, port, login })
}

/// Returns what stands before the last `@`, without the scheme.
fn userinfo(value: &str) -> Option<&str> {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    Some(rest.rsplit_once('@')?.0)
}

/// Whether the password is cut by a `/`, `?` or `#`, and what is dialled is a piece of it.
fn is_cut(value: &str) -> bool {
    userinfo(value).is_some_and(|userinfo| userinfo.contains(['/', '?', '#']))
}

/// Returns the code that names what is wrong with a value that a tool does not understand.
pub(super) fn blame(value: &str, flaw: Flaw) -> &'static str {
    if is_cut(value) {
        return "E37";
    }
    if let Some(userinfo) = userinfo(value) {
        let bytes = userinfo.as_bytes();
        let mut signs = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
        if signs.any(|(at, _)| bytes.get(at..).and_then(triplet).is_none()) {
            return "E38";
        }
        if userinfo.contains('@') {
            return "E39";
        }
    }
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = place.rsplit_once(':').map_or("", |(_, port)| port);
    let is_bad_port = !port.is_empty() && !port.contains(']') && port.parse::<u16>().is_err();
    match flaw {
        Flaw::Port => "E40",
        Flaw::Syntax if is_bad_port => "E40",
        Flaw::Login | Flaw::Scheme | Flaw::Socket | Flaw::Syntax => "E41",
    }
}
