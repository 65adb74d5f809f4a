//! The proxy variables and `http.proxy`: values that nobody understands, and those that the tools take
//! differently. E28–E30, E36–E43, E48.

use crate::core::doctor::{
    checks::{
        DIRECT, Facts, PROXIED,
        facts::Asked,
        fix,
        proxy_value::{self, flaw, mended},
    },
    finding::{Change, Finding, Kind, Severity, Tool},
    machine::GitValue,
    place::Place,
    private::Private,
    route::git_config,
};

/// What a proxy that git alone is told of ends in, where it is the wrong one. Which login it wants is another matter.
const UNREACHED: &[&str] = &[
    "P10", "P11", "P12", "P13", "P14", "P15", "P16", "P17", "P18", "P19", "P20", "P21", "P22",
    "P26", "P27", "P28", "P29", "P30", "P31", "P32", "D16", "N01", "N02",
];

/// Every variable that names a proxy.
pub(super) const VARIABLES: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const ALL: &[Tool] = &[Tool::Go, Tool::Git, Tool::Curl];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in VARIABLES {
        let Some(value) = facts.machine.variable(name) else { continue };
        let place = Place::Variable((*name).to_owned());
        if let Some(finding) = value_of(facts, name, value, &place) {
            add(&mut found, finding);
        }
    }
    for entry in proxies_of_git(facts) {
        if let Some(finding) = value_of(facts, &entry.key, &entry.value, &entry.place) {
            add(&mut found, finding);
        }
    }
    found.extend(only_http(facts));
    found.extend(two_spellings(facts));
    found.extend(of_git(facts));
    found.extend(all_proxy(facts));
    found.extend(cgi(facts));
    found.extend(in_clear(facts));
    found.extend(within(facts));
    found
}

/// Adds a finding; the same value in another variable is one more observation of the same.
fn add(found: &mut Vec<Finding>, finding: Finding) {
    let seen = |it: &Finding| it.evidence.first().map(|seen| seen.observed.clone());
    let same = found.iter_mut().find(|own| {
        let is_one = own.fix.changes.is_empty() && finding.fix.changes.is_empty();
        is_one && own.entry.code == finding.entry.code && seen(own) == seen(&finding)
    });
    match same {
        Some(own) => {
            own.severity = own.severity.max(finding.severity);
            own.evidence.extend(finding.evidence);
            own.affects.extend(finding.affects);
        }
        None => found.push(finding),
    }
}

/// Returns the values of `http.proxy` and `http.<url>.proxy` that are not empty.
fn proxies_of_git<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a GitValue> {
    let is_proxy = |key: &str| {
        key == "http.proxy" || key.starts_with("http.") && key.rsplit('.').next() == Some("proxy")
    };
    let entries = facts.machine.git_config.iter();
    entries.filter(move |entry| is_proxy(&entry.key) && !entry.value.raw().is_empty())
}

/// Returns whether a variable is asked for what is wanted.
fn is_used(facts: &Facts<'_>, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let wants = |place: &Asked| match lower.as_str() {
        "https_proxy" => place.scheme == "https",
        "http_proxy" => place.scheme == "http",
        _ => place.scheme.starts_with("http"),
    };
    let asked = facts.asked();
    let asked: Vec<&Asked> = asked.iter().filter(|place| wants(place)).collect();
    let (go, curl) = super::noproxy::lists(facts);
    let is_excepted =
        |place: &&Asked| super::noproxy::is_excepted(place, go.as_ref(), curl.as_ref());
    // Of two spellings, each is somebody's first.
    asked.iter().any(|place| !is_excepted(place))
}

/// E37–E41: values that are no proxy, or another one than is meant.
fn value_of(facts: &Facts<'_>, name: &str, value: &Private, place: &Place) -> Option<Finding> {
    let (code, why) = flaw(value.raw())?;
    let is_latent = code == "E39" || proxy_value::is_taken_for_http(value.raw());
    let is_fatal = is_used(facts, name) && !is_latent;
    let severity = if is_fatal { Severity::Error } else { Severity::Warning };
    let tools: &[Tool] = match name {
        _ if name.starts_with("http.") => &[Tool::Git],
        "ALL_PROXY" | "all_proxy" => &[Tool::Git, Tool::Curl],
        _ => ALL,
    };
    let cause = format!("{name} ({place}) {why}.");
    let mended = mended(value.raw(), code);
    let finding = facts
        .finding(code, severity, cause)
        .seen(Kind::Variable, place.clone(), value.to_string(), "http://host:port")
        .affects(tools)
        .reproduce("env | grep -i _proxy | sed 's/:[^:@]*@/:***@/'")
        .explains(&[PROXIED, DIRECT, &["P09"]].concat());
    let finding = match (&mended, place) {
        (Some(new), Place::Variable(name)) => fix::variable(facts, finding, name, Some(new)),
        (Some(new), _) => match facts.machine.git_values(name).last() {
            Some(entry) => fix::git(facts, finding, entry, Some(new)),
            None => finding,
        },
        (None, Place::Variable(name)) => fix::variable(facts, finding, name, None),
        (None, _) => match facts.machine.git_values(name).last() {
            Some(entry) => fix::git(facts, finding, entry, None),
            None => finding,
        },
    };
    // A password is not written into a command.
    let has_login = value.raw().contains('@');
    Some(if has_login { finding.run("gocred login --proxy http://HOST:PORT") } else { finding })
}

/// E28: only `HTTP_PROXY` is set, which is not for https.
fn only_http(facts: &Facts<'_>) -> Option<Finding> {
    let (name, value) = facts.first(&["HTTP_PROXY", "http_proxy"])?;
    if facts.first(&["HTTPS_PROXY", "https_proxy"]).is_some() || !is_used(facts, "https_proxy") {
        return None;
    }
    let others = facts.first(&["ALL_PROXY", "all_proxy"]).is_some()
        || facts.machine.git_value("http.proxy").is_some();
    let tools: &[Tool] = if others { &[Tool::Go] } else { ALL };
    let cause =
        format!("{name} is set and HTTPS_PROXY is not: https:// goes straight, past the proxy.");
    let finding = facts
        .finding("E28", Severity::Warning, cause)
        .affects(tools)
        .reproduce("curl -v --proxy '' https://HOST/")
        .explains(DIRECT);
    Some(for_https(facts, finding, name, value))
}

/// E29: go reads the capitals first, curl and git the small letters.
fn two_spellings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (upper, lower) in
        [("HTTPS_PROXY", "https_proxy"), ("HTTP_PROXY", "http_proxy"), ("NO_PROXY", "no_proxy")]
    {
        let machine = facts.machine;
        let (Some(one), Some(other)) = (machine.variable(upper), machine.variable(lower)) else {
            found.extend(emptied(facts, upper, lower));
            continue;
        };
        if same(one.raw(), other.raw()) || !is_used_at_all(facts, upper) {
            continue;
        }
        let cause =
            format!("{upper} and {lower} differ: go takes {one}, git and curl take {other}.");
        let finding = facts
            .finding("E29", Severity::Warning, cause)
            .seen(Kind::Variable, Place::Variable(upper.to_owned()), one.to_string(), "")
            .seen(
                Kind::Variable,
                Place::Variable(lower.to_owned()),
                other.to_string(),
                one.to_string(),
            )
            .affects(ALL)
            .reproduce(format!("env | grep -i {lower} | sed 's/:[^:@]*@/:***@/'"))
            .explains(&[PROXIED, DIRECT].concat());
        let finding = fix::variable(facts, finding, lower, Some(one.raw()));
        found.push(finding.run(format!("export {lower}=\"${upper}\"")));
    }
    found
}

/// E29: for git a variable that is set and empty hides the other one (http.c `http_init`); go and curl pass it over.
fn emptied(facts: &Facts<'_>, upper: &str, lower: &str) -> Option<Finding> {
    let machine = facts.machine;
    let value = machine.variable(upper)?;
    let is_empty = machine.variables.get(lower).is_some_and(|value| value.raw().is_empty());
    // git reads the capitals of neither HTTP_PROXY.
    let is_gits = upper == "HTTPS_PROXY" && machine.git_value("http.proxy").is_none();
    if !is_empty || !is_gits || !facts.is_for_git() || !is_used(facts, lower) {
        return None;
    }
    let cause =
        format!("{lower} is set and empty: git goes straight, go and curl take {upper}={value}.");
    let finding = facts
        .finding("E29", Severity::Warning, cause)
        .seen(Kind::Variable, Place::Variable(lower.to_owned()), "empty", value.to_string())
        .seen(Kind::Variable, Place::Variable(upper.to_owned()), value.to_string(), "")
        .affects(&[Tool::Git, Tool::Go])
        .reproduce(format!("env | grep -i {lower} | sed 's/:[^:@]*@/:***@/'"))
        .explains(DIRECT);
    let finding = fix::variable(facts, finding, lower, Some(value.raw()));
    Some(finding.run(format!("export {lower}=\"${upper}\"")))
}

fn is_used_at_all(facts: &Facts<'_>, name: &str) -> bool {
    name != "NO_PROXY"
        && facts.asked().iter().any(|it| {
            name == "HTTPS_PROXY" && it.scheme == "https"
                || name == "HTTP_PROXY" && it.scheme == "http"
        })
        || name == "NO_PROXY" && VARIABLES.iter().any(|it| facts.machine.variable(it).is_some())
}

/// Compares two proxies, or lists, as people mean them.
fn same(left: &str, right: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
        text.strip_prefix("http://").map(str::to_owned).unwrap_or(text)
    };
    plain(left) == plain(right)
}

/// E30: git's configuration stands before the variables.
fn of_git(facts: &Facts<'_>) -> Option<Finding> {
    let asked = facts.asked();
    let counts = |place: &Asked| {
        let host =
            if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
        let url = format!("{}://{host}:{}/", place.scheme, place.port);
        git_config::best(&facts.machine.git_config, ("http", "proxy"), &url)
    };
    let by_host = asked.iter().find_map(counts).filter(|entry| !entry.value.raw().is_empty());
    // Of a repository's own path or user nothing is known here: whatever names a host that is asked.
    let by_path = || {
        proxies_of_git(facts)
            .filter(|entry| asked.iter().any(|place| entry.key.contains(place.host.as_str())))
    };
    let entry = by_path().last().or(by_host)?;
    let go = facts.first(&["HTTPS_PROXY", "https_proxy"]);
    if go.is_some_and(|(_, go)| same(go.raw(), entry.value.raw())) {
        return None;
    }
    let others = go.map_or_else(
        || "go and curl go straight".to_owned(),
        |(name, value)| format!("go takes {name}={value}"),
    );
    let cause = format!("git takes the proxy {} of {}; {others}.", entry.value, entry.place);
    let finding = facts
        .finding("E30", Severity::Info, cause)
        .seen(
            Kind::File,
            entry.place.clone(),
            format!("{}={}", entry.key, entry.value),
            "the same for all",
        )
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin --get-all http.proxy")
        .explains(if go.is_some() { PROXIED } else { UNREACHED });
    Some(fix::git(facts, finding, entry, None))
}

/// E36: go does not read `ALL_PROXY`.
fn all_proxy(facts: &Facts<'_>) -> Option<Finding> {
    let (name, value) = facts.first(&["all_proxy", "ALL_PROXY"])?;
    if facts.first(&["HTTPS_PROXY", "https_proxy"]).is_some() || !is_used(facts, "all_proxy") {
        return None;
    }
    let cause =
        format!("{name} is set and HTTPS_PROXY is not: git and curl take it, go goes straight.");
    let finding = facts
        .finding("E36", Severity::Warning, cause)
        .affects(ALL)
        .explains(&[DIRECT, PROXIED].concat());
    Some(for_https(facts, finding, name, value))
}

/// Says that another variable is set in place of `HTTPS_PROXY`, and gives its value to that one, too:
/// where it is exported, if that is a file of the user's shell.
fn for_https(facts: &Facts<'_>, finding: Finding, name: &str, value: &Private) -> Finding {
    let place = |name: &str| Place::Variable(name.to_owned());
    let finding = finding
        .seen(Kind::Variable, place(name), value.to_string(), "")
        .seen(Kind::Variable, place("HTTPS_PROXY"), "not set", value.to_string())
        .run(format!("export HTTPS_PROXY=\"${name}\""));
    let exported = facts.machine.exported(name);
    let Some((Place::File(file, Some(line)), said)) = exported else { return finding };
    let is_shell = file.extension().is_none_or(|end| end == "sh");
    if said != *value || !is_shell || !fix::is_own(facts, &file) {
        return finding;
    }
    let quoted = fix::quoted(said.raw());
    let text = format!("export {name}={quoted} HTTPS_PROXY={quoted}");
    finding.change(Change::Line { file, line, text: Some(text) })
}

/// E42: a CGI program's `HTTP_PROXY` is a header of its client (golang.org/s/cgihttpproxy).
fn cgi(facts: &Facts<'_>) -> Option<Finding> {
    facts.machine.variable("REQUEST_METHOD")?;
    let (name, value) = facts.first(&["HTTP_PROXY", "http_proxy"])?;
    let is_needed = facts.is_for_go() && is_used(facts, "http_proxy");
    let severity = if is_needed { Severity::Error } else { Severity::Info };
    let cause =
        format!("REQUEST_METHOD is set, so go takes itself for a CGI program and refuses {name}.");
    let finding = facts
        .finding("E42", severity, cause)
        .seen(Kind::Variable, Place::Variable("REQUEST_METHOD".to_owned()), "set", "not set")
        .seen(Kind::Variable, Place::Variable(name.to_owned()), value.to_string(), "")
        .affects(&[Tool::Go]);
    Some(fix::variable(facts, finding, "REQUEST_METHOD", None))
}

/// E43: a password where every program of the user sees it.
fn in_clear(facts: &Facts<'_>) -> Vec<Finding> {
    let goproxy = facts.go("GOPROXY").map(|(value, place)| ("GOPROXY".to_owned(), value, place));
    let variables = VARIABLES.iter().filter_map(|name| {
        let value = facts.machine.variable(name)?.clone();
        let place = Place::Variable((*name).to_owned());
        Some(((*name).to_owned(), value, place))
    });
    let git = proxies_of_git(facts)
        .map(|entry| (entry.key.clone(), entry.value.clone(), entry.place.clone()));
    let values: Vec<_> = goproxy.into_iter().chain(variables).chain(git).collect();
    let mut with_secret = values.iter().filter(|(_, value, _)| value.to_string().contains(":***@"));
    let Some((name, value, place)) = with_secret.next() else { return Vec::new() };
    let cause =
        format!("{name} ({place}) holds a password: `go env`, /proc and logs of CI show it.");
    let mut finding = facts
        .finding("E43", Severity::Warning, cause)
        .seen(Kind::Variable, place.clone(), value.to_string(), "no password")
        .affects(ALL)
        .reproduce("go env GOPROXY; env | grep -i _proxy")
        .run("gocred import");
    for (_, value, place) in with_secret {
        finding = finding.seen(Kind::Variable, place.clone(), value.to_string(), "no password");
    }
    vec![finding]
}

/// E48: within a container, loopback is another machine's; and so it is in a network namespace where nobody
/// listens, though gocred runs.
fn within(facts: &Facts<'_>) -> Option<Finding> {
    let is_there = facts.machine.gocred.daemon.is_some();
    let within = facts.machine.within.or_else(|| is_there.then_some("a network of its own"))?;
    let mut astray = VARIABLES.iter().filter_map(|name| {
        let value = facts.machine.variable(name)?;
        let asked = super::facts::place(value.raw())?;
        let is_loopback =
            asked.host == "localhost" || asked.host.starts_with("127.") || asked.host == "::1";
        let listens =
            facts.machine.listeners.iter().any(|(address, _)| address.port() == asked.port);
        let is_gocreds =
            facts.machine.gocred.listen.iter().any(|address| address.port() == asked.port);
        // gocred's own port where gocred does not run is K01.
        let is_elsewhere = if is_gocreds { is_there } else { facts.machine.within.is_some() };
        let is_it = is_loopback && !listens && is_elsewhere && is_used(facts, name);
        is_it.then_some((*name, value))
    });
    let (name, value) = astray.next()?;
    let cause =
        format!("{name} names {value}, but this is {within}: 127.0.0.1 here is not the host's.");
    let finding = facts
        .finding("E48", Severity::Error, cause)
        .seen(
            Kind::Variable,
            Place::Variable(name.to_owned()),
            value.to_string(),
            "an address of the host",
        )
        .affects(ALL)
        .explains(&["P27", "K01"]);
    // In a network of its own, the home folder is that of the machine, where the setting is right.
    if facts.machine.within.is_none() {
        return Some(finding.run(format!("unset {name}")));
    }
    let finding = fix::variable(facts, finding, name, None);
    Some(astray.fold(finding, |finding, (name, _)| {
        let other = fix::variable(facts, finding.clone(), name, None);
        finding.with_changes_of(other)
    }))
}
