//! Where the tools disagree about one host: another proxy, another login, another URL, another trust; and which
//! value of a proxy none can use. One sentence each, under the code of the catalogue that explains it.

use secrecy::ExposeSecret as _;

use crate::core::doctor::{
    finding::Tool,
    machine::Machine,
    place::Place,
    private::Private,
    route::{Link, Login, Proxy, Route, Scheme, Via, route},
};

/// A disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The code that explains it.
    pub code: &'static str,
    /// What differs, without secrets.
    pub sentence: String,
}

/// Returns in what the tools disagree about a URL.
pub fn all(link: &Link, machine: &Machine) -> Vec<Difference> {
    let mut found = Vec::new();
    let of = |tool| route(tool, link, machine);
    let (Some(go), Some(git), Some(curl)) = (of(Tool::Go), of(Tool::Git), of(Tool::Curl)) else {
        return found;
    };
    found.extend(rewriting(&git, machine));
    let is_same_url = git.link == go.link;
    for route in [&go, &git, &curl] {
        if let Via::Broken { code, .. } = &route.via
            && found.iter().all(|it| it.code != *code)
        {
            found.push(Difference { code, sentence: way(route) });
        }
    }
    for other in [&git, &curl] {
        let is_comparable = is_same_url || other.tool == Tool::Curl;
        // Where both differ from go alike, it is said once.
        let is_said =
            other.tool == Tool::Curl && is_same_url && shown(&git.via) == shown(&curl.via);
        let is_broken = [&go.via, &other.via].iter().any(|via| matches!(via, Via::Broken { .. }));
        if is_comparable && !is_said && !is_broken && shown(&go.via) != shown(&other.via) {
            let code = of_proxies(&go, other, machine);
            let sentence = format!("{}, but {}", way(&go), way(other));
            found.push(Difference { code, sentence });
        }
    }
    if is_same_url {
        found.extend(logins(&go, &git, machine));
    }
    if is_same_url && link.origin.scheme() == "https" && places(&go) != places(&git) {
        let sentence = format!("go trusts {}, git {}", trust(&go), trust(&git));
        found.push(Difference { code: "E45", sentence });
    }
    found.dedup_by(|one, other| one.code == other.code && one.sentence == other.sentence);
    found
}

/// G08, G09, G10: what `insteadOf` makes of the URL.
fn rewriting(git: &Route, machine: &Machine) -> Option<Difference> {
    let place = git.rewritten.as_ref()?;
    let is_ssh = git.link.origin.scheme() == "ssh";
    let is_odd = matches!(git.via, Via::Broken { code: "G09", .. });
    let is_new = is_odd || host_is_odd(&git.link, machine);
    let has_secret =
        git.login.as_ref().is_some_and(|it| it.place == *place && it.scheme == Scheme::Basic);
    let code = match (is_ssh, is_new, has_secret) {
        (true, ..) => "G08",
        (_, true, _) => "G09",
        (.., true) => "G10",
        _ => return None,
    };
    let to = match &git.via {
        Via::Broken { value, .. } => value.clone(),
        Via::Direct | Via::Proxy(_) => git.link.to_string(),
    };
    let login = if has_secret { ", with a login in the rule," } else { "" };
    Some(Difference {
        code,
        sentence: format!("git asks {to}{login} because of insteadOf ({place})"),
    })
}

/// Whether a host is one that the base of a rule names only when its end is glued to a path: a slash was lost.
fn host_is_odd(link: &Link, machine: &Machine) -> bool {
    let host = link.origin.host();
    machine.git_config.iter().filter(|value| value.key.ends_with(".insteadof")).any(|value| {
        let base = value.key.strip_prefix("url.").and_then(|key| key.strip_suffix(".insteadof"));
        let base = base.and_then(|base| base.split_once("://")).map_or("", |(_, rest)| rest);
        let base = base.rsplit_once('@').map_or(base, |(_, host)| host);
        !base.is_empty() && !base.contains('/') && host.len() > base.len() && host.starts_with(base)
    })
}

/// The code of a difference between go's proxy and another tool's.
fn of_proxies(go: &Route, other: &Route, machine: &Machine) -> &'static str {
    if other.tool == Tool::Git && matches!(other.via_place, Place::File(..)) {
        return "E30";
    }
    let is_all = |place: &Place| matches!(place, Place::Variable(name) if name.eq_ignore_ascii_case("ALL_PROXY"));
    if is_all(&other.via_place) && matches!(go.via_place, Place::Default(_)) {
        return "E36";
    }
    let exception = go.passed_over.as_ref().or(other.passed_over.as_ref());
    let Some((_, Place::Variable(name))) = exception else { return "E29" };
    let has_both = ["NO_PROXY", "no_proxy"].map(|name| machine.variable(name).map(Private::raw));
    if let [Some(upper), Some(lower)] = has_both
        && upper != lower
    {
        return "E29";
    }
    let list = machine.variable(name).map_or("", Private::raw);
    let host = go.link.origin.host();
    if go.passed_over.is_none() {
        return "E33";
    }
    let entries = || list.split([',', ' ', '\t']).map(str::trim);
    if entries().any(|entry| entry.strip_prefix("*.").is_some_and(|end| host.ends_with(end))) {
        return "E31";
    }
    if entries().any(|entry| {
        entry.rsplit_once(':').is_some_and(|(name, _)| host.ends_with(name.trim_start_matches('.')))
    }) {
        return "E32";
    }
    if entries().any(|entry| entry.contains('/')) { "E34" } else { "E35" }
}

/// A24, A25, A26, A29, G11: what each sends of itself.
fn logins(go: &Route, git: &Route, machine: &Machine) -> Option<Difference> {
    let sent = |login: &Option<Login>| {
        login.as_ref().map(|it| (it.user.clone(), it.secret.expose_secret().to_owned()))
    };
    if sent(&go.login) == sent(&git.login) {
        return None;
    }
    let sentence = format!("go sends {}, git {}", login(go), login(git));
    let is_header =
        git.login.as_ref().is_some_and(|login| matches!(login.scheme, Scheme::Header(_)));
    let is_of_rule =
        git.login.is_some() && git.login.as_ref().map(|it| &it.place) == git.rewritten.as_ref();
    let code = if is_header {
        "G11"
    } else if is_of_rule {
        "G10"
    } else if machine.variable("NETRC").is_some() {
        "A29"
    } else if go.login.is_some() && git.login.is_some() {
        "A26"
    } else if go.link.origin.port().is_some() {
        "A24"
    } else if go.login.is_none() {
        "A25"
    } else {
        return None;
    };
    Some(Difference { code, sentence })
}

/// Says which proxy a tool takes, and where that is said.
pub fn way(route: &Route) -> String {
    let (tool, place) = (route.tool.name(), &route.via_place);
    match (&route.via, &route.passed_over) {
        (Via::Direct, Some((proxy, exception))) => {
            format!("{tool} goes straight: {exception} excepts it from {proxy} ({place})")
        }
        (Via::Direct, None) if matches!(place, Place::Default(_)) => {
            format!("{tool} goes straight: no proxy is said")
        }
        (Via::Direct, None) => format!("{tool} goes straight: {place} says so"),
        (Via::Proxy(proxy), _) => format!("{tool} asks {} ({place})", url(proxy)),
        (Via::Broken { value, code }, _) => {
            format!("{tool} cannot use {value} ({place}, {code})")
        }
    }
}

/// Writes a proxy without its password.
pub fn url(proxy: &Proxy) -> String {
    let Proxy { scheme, host, port, login } = proxy;
    let user = login.as_ref().map_or(String::new(), |login| format!("{}@", user(login)));
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!("{scheme}://{user}{host}:{port}")
}

/// Says what a tool sends of itself.
pub fn login(route: &Route) -> String {
    let Some(login) = &route.login else { return "no login of its own".to_owned() };
    let place = &login.place;
    match &login.scheme {
        Scheme::Header(name) => format!("a field {name} ({place})"),
        Scheme::Basic => format!("the login of {} ({place})", user(login)),
    }
}

/// Returns the user; without a password it may be a token.
pub fn user(login: &Login) -> &str {
    if login.secret.expose_secret().is_empty() { "***" } else { &login.user }
}

/// Says whom a tool trusts.
pub fn trust(route: &Route) -> String {
    let trust = &route.trust;
    if trust.is_off {
        return "every certificate".to_owned();
    }
    let mut parts = Vec::new();
    for (path, place) in trust.file.iter().chain(&trust.folder) {
        parts.push(format!("{} ({place})", path.display()));
    }
    if trust.has_system {
        parts.push("the system's authorities".to_owned());
    }
    parts.join(" and ")
}

fn places(route: &Route) -> (Option<&std::path::PathBuf>, Option<&std::path::PathBuf>, bool) {
    let trust = &route.trust;
    (trust.file.as_ref().map(|it| &it.0), trust.folder.as_ref().map(|it| &it.0), trust.is_off)
}

/// What is dialled; two values that nobody understands are the same.
fn shown(via: &Via) -> String {
    match via {
        Via::Direct => "direct".to_owned(),
        Via::Proxy(proxy) => url(proxy),
        Via::Broken { code, .. } => format!("broken {code}"),
    }
}
