//! `NO_PROXY`, which go and curl read differently. E31–E35.

use std::collections::BTreeSet;

use crate::core::{
    doctor::{
        checks::{Facts, PROXIED, facts::Asked, fix},
        finding::{Finding, Kind, Severity, Tool},
        place::Place,
        private::Private,
    },
    noproxy,
};

/// The list that go takes, and the one that git and curl take; each with its variable.
pub(super) type List<'a> = Option<(&'static str, &'a Private)>;

/// Returns both lists.
pub(super) fn lists<'a>(facts: &Facts<'a>) -> (List<'a>, List<'a>) {
    (facts.first(&["NO_PROXY", "no_proxy"]), facts.first(&["no_proxy", "NO_PROXY"]))
}

/// Returns whether every tool passes the proxy over for a place.
pub(super) fn is_excepted(
    asked: &Asked,
    go: Option<&(&str, &Private)>,
    curl: Option<&(&str, &Private)>,
) -> bool {
    go.is_some_and(|(_, list)| noproxy::go(list.raw(), &asked.host, asked.port))
        && curl.is_some_and(|(_, list)| noproxy::curl(list.raw(), &asked.host, asked.port))
}

/// Returns what is wrong with the list.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let proxies =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let has_proxy = proxies.iter().any(|name| facts.machine.variable(name).is_some())
        || facts.machine.git_value("http.proxy").is_some();
    let (go, curl) = lists(facts);
    let (Some(go), Some(curl), true) = (go, curl, has_proxy) else { return Vec::new() };
    // What every tool passes over is as somebody wanted it.
    let mut asked = facts.asked();
    asked.retain(|place| !is_excepted(place, Some(&go), Some(&curl)));
    let mut found: Vec<Finding> = Vec::new();
    for (name, list) in [go, curl] {
        for entry in list.raw().split(',') {
            if let Some(finding) = entry_of(facts, name, list, entry, &asked)
                && !found.iter().any(|own| own.entry.code == finding.entry.code)
            {
                found.push(finding);
            }
        }
    }
    found
}

/// What is wrong with an entry, where it matters.
fn entry_of(
    facts: &Facts<'_>,
    name: &'static str,
    list: &Private,
    entry: &str,
    asked: &[Asked],
) -> Option<Finding> {
    let trimmed = entry.trim();
    let hit = |mended: &str| {
        asked.iter().find(|it| {
            noproxy::go(mended, &it.host, it.port) || noproxy::curl(mended, &it.host, it.port)
        })
    };
    let differs = |asked: &&Asked| {
        noproxy::go(list.raw(), &asked.host, asked.port)
            != noproxy::curl(list.raw(), &asked.host, asked.port)
    };
    let start = |code, severity, cause: String, tools: &[Tool], mended: &str| {
        let value = replaced(list.raw(), entry, mended);
        let finding = facts
            .finding(code, severity, cause)
            .seen(Kind::Variable, Place::Variable(name.to_owned()), list.to_string(), value.clone())
            .affects(tools)
            .reproduce(format!("env | grep -i {name}"))
            .explains(PROXIED);
        fix::variable(facts, finding, name, Some(&value))
    };
    if trimmed.contains(char::is_whitespace) {
        let mended = trimmed.split_whitespace().collect::<Vec<_>>().join(",");
        let asked = mended.split(',').find_map(hit).filter(differs)?;
        let cause = format!(
            "{name} is separated by blanks: git and curl pass the proxy over for {}, go does not.",
            asked.host
        );
        return Some(start("E33", Severity::Warning, cause, &[Tool::Go], &mended));
    }
    if let Some(mended) = unreadable(trimmed) {
        let concerned = hit(&mended);
        let cause = match concerned {
            Some(asked) => format!(
                "`{trimmed}` in {name} matches nothing, so that {} goes through the proxy.",
                asked.host
            ),
            None => format!("`{trimmed}` in {name} matches nothing in any tool."),
        };
        let tools: &[Tool] = &[Tool::Go, Tool::Git, Tool::Curl];
        let finding = start("E35", Severity::Warning, cause, tools, &mended);
        return Some(if concerned.is_some() {
            finding
        } else {
            Finding { suppresses: BTreeSet::new(), ..finding }
        });
    }
    if let Some(domain) = trimmed.strip_prefix("*.") {
        let asked = hit(domain).filter(differs)?;
        let cause = format!(
            "`{trimmed}` in {name}: go passes the proxy over for {}, git and curl do not.",
            asked.host
        );
        return Some(start(
            "E31",
            Severity::Warning,
            cause,
            &[Tool::Git, Tool::Curl, Tool::Go],
            &format!(".{domain}"),
        ));
    }
    if is_block(trimmed) {
        let asked = asked.iter().find(|it| {
            it.host.parse::<std::net::IpAddr>().is_err() && may_be_in(facts, &it.host, trimmed)
        })?;
        let cause = format!(
            "`{trimmed}` in {name} is compared with addresses that are written as such, never with {}.",
            asked.host
        );
        let mended = format!("{trimmed},{}", asked.host);
        return Some(start(
            "E34",
            Severity::Info,
            cause,
            &[Tool::Go, Tool::Git, Tool::Curl],
            &mended,
        ));
    }
    let (host, port) = trimmed.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|_| !host.contains(':'))?;
    let asked = hit(host).filter(differs)?;
    let cause = format!(
        "`{trimmed}` in {name}: go passes the proxy over for {}, git and curl know no ports there.",
        asked.host
    );
    Some(start("E32", Severity::Warning, cause, &[Tool::Git, Tool::Curl, Tool::Go], host))
}

/// Returns an entry that no tool can read as it was meant; `None`: they can.
fn unreadable(entry: &str) -> Option<String> {
    if let Some((_, rest)) = entry.split_once("://") {
        return Some(rest.split(['/', ':']).next().unwrap_or_default().to_owned());
    }
    if entry.contains(';') {
        return Some(entry.split(';').map(str::trim).collect::<Vec<_>>().join(","));
    }
    if entry.contains("..") {
        let mut mended = entry.to_owned();
        while mended.contains("..") {
            mended = mended.replace("..", ".");
        }
        return Some(mended);
    }
    if entry.contains('/') && !is_block(entry) {
        return Some(entry.split('/').next().unwrap_or_default().to_owned());
    }
    let is_star = entry.contains('*') && entry != "*" && !entry.starts_with("*.");
    is_star.then(|| entry.trim_start_matches('*').replace('*', ""))
}

fn is_block(entry: &str) -> bool {
    entry.split_once('/').is_some_and(|(address, length)| {
        address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok()
    })
}

/// Returns whether a name may have an address of a block: by the hosts file, or where that does not say.
fn may_be_in(facts: &Facts<'_>, host: &str, block: &str) -> bool {
    let mut known = facts.machine.hosts.lines.iter().flatten().filter_map(|line| {
        let mut words = line.raw().split('#').next()?.split_whitespace();
        let address = words.next()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    });
    match known.next() {
        Some(address) => noproxy::curl(block, address, 0),
        None => true,
    }
}

fn replaced(list: &str, entry: &str, mended: &str) -> String {
    let parts = list.split(',').map(|own| if own == entry { mended } else { own.trim() });
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
}
