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
        for raw in list.raw().split(',') {
            let entry = Entry { facts, name, list, raw, asked: &asked };
            let Some(finding) = entry.judged() else { continue };
            match found.iter_mut().find(|own| own.entry.code == finding.entry.code) {
                // What concerns a place that is wanted says more than what is just odd.
                Some(own) if own.suppresses.is_empty() && !finding.suppresses.is_empty() => {
                    *own = finding.with_changes_of(own.clone());
                }
                // Both spellings are mended, or the other one goes on.
                Some(own) if own.fix.command != finding.fix.command => {
                    *own = own.clone().with_changes_of(finding);
                }
                Some(_) => {}
                None => found.push(finding),
            }
        }
    }
    found
}

/// An entry of a list, and what it is asked for.
struct Entry<'a> {
    facts: &'a Facts<'a>,
    name: &'static str,
    list: &'a Private,
    raw: &'a str,
    asked: &'a [Asked],
}

const ALL: &[Tool] = &[Tool::Go, Tool::Git, Tool::Curl];

impl Entry<'_> {
    /// Returns the place that a list would except, were it written so.
    fn hit(&self, mended: &str) -> Option<&Asked> {
        self.asked.iter().find(|it| {
            noproxy::go(mended, &it.host, it.port) || noproxy::curl(mended, &it.host, it.port)
        })
    }

    /// Returns it where go and curl disagree about it.
    fn disputed(&self, mended: &str) -> Option<&Asked> {
        let list = self.list.raw();
        self.hit(mended).filter(|it| {
            noproxy::go(list, &it.host, it.port) != noproxy::curl(list, &it.host, it.port)
        })
    }

    fn finding(&self, code: &'static str, cause: String, mended: &str) -> Finding {
        let Self { facts, name, list, raw, asked: _ } = self;
        let value = replaced(list.raw(), raw, mended);
        let tools = if code == "E33" { &[Tool::Go] } else { ALL };
        let severity = if code == "E34" { Severity::Info } else { Severity::Warning };
        let finding = facts
            .finding(code, severity, cause)
            .seen(
                Kind::Variable,
                Place::Variable((*name).to_owned()),
                list.to_string(),
                Private::of(name, value.as_str()).to_string(),
            )
            .affects(tools)
            .reproduce(format!("env | grep -i {name}"))
            .explains(PROXIED);
        fix::variable(facts, finding, name, Some(&value))
    }

    /// What is wrong with it, where it matters.
    fn judged(&self) -> Option<Finding> {
        let (name, entry) = (self.name, self.raw.trim());
        let shown = Private::of(name, entry);
        if entry.contains(char::is_whitespace) {
            let mended = entry.split_whitespace().collect::<Vec<_>>().join(",");
            let host = &mended.split(',').find_map(|part| self.disputed(part))?.host;
            let cause = format!(
                "{name} is separated by blanks: git and curl pass the proxy over for {host}, go does not."
            );
            return Some(self.finding("E33", cause, &mended));
        }
        if let Some(mended) = unreadable(entry) {
            return Some(self.unreadable(entry, &mended));
        }
        if let Some(domain) = entry.strip_prefix("*.") {
            let host = &self.disputed(domain)?.host;
            let cause = format!(
                "`{shown}` in {name}: go passes the proxy over for {host}, git and curl do not."
            );
            return Some(self.finding("E31", cause, &format!(".{domain}")));
        }
        if is_block(entry) {
            let is_name = |it: &&Asked| it.host.parse::<std::net::IpAddr>().is_err();
            let mut names = self.asked.iter().filter(is_name);
            let host = &names.find(|it| may_be_in(self.facts, &it.host, entry))?.host;
            let cause = format!(
                "`{shown}` in {name} is compared with addresses that are written as such, never with {host}."
            );
            return Some(self.finding("E34", cause, &format!("{entry},{host}")));
        }
        let (name_of_it, port) = entry.rsplit_once(':')?;
        port.parse::<u16>().ok().filter(|_| !name_of_it.contains(':'))?;
        let host = &self.disputed(name_of_it)?.host;
        let cause = format!(
            "`{shown}` in {name}: go passes the proxy over for {host}, git and curl know no ports there."
        );
        Some(self.finding("E32", cause, name_of_it))
    }

    fn unreadable(&self, entry: &str, mended: &str) -> Finding {
        let (name, shown) = (self.name, Private::of(self.name, entry));
        if let Some(asked) = self.hit(mended) {
            let host = &asked.host;
            let cause = format!(
                "`{shown}` in {name} matches nothing, so that {host} goes through the proxy."
            );
            return self.finding("E35", cause, mended);
        }
        let cause = format!("`{shown}` in {name} matches nothing in any tool.");
        Finding { suppresses: BTreeSet::new(), ..self.finding("E35", cause, mended) }
    }
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
