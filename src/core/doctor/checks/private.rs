//! GOPRIVATE, GONOPROXY, GONOSUMDB: patterns that do not match what they are meant for. E05, E09–E18, E54, E58.
//!
//! A pattern that can match nothing is a warning. What is meant is guessed by mending it: if the mended list
//! matches a module that is wanted, and the list as it is does not, the finding concerns that module.

use crate::core::{
    doctor::{
        checks::{DIRECT, Facts, NOT_THERE, facts::Set, fix},
        finding::{Finding, Kind, Severity, Tool},
        place::Place,
        private::Private,
    },
    pattern,
};

/// The proxies that everybody may ask: no private module is there.
const PUBLIC: &[&str] =
    &["proxy.golang.org", "goproxy.cn", "goproxy.io", "gocenter.io", "mirrors.aliyun.com"];
/// Hosts whose modules are hardly private by accident.
const OPEN: &[&str] = &["golang.org", "google.golang.org", "gopkg.in", "go.uber.org", "k8s.io"];

/// Returns what is wrong with the patterns.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"] {
        if let Some(set) = facts.go(name) {
            found.extend(flaws(facts, name, &set));
        }
    }
    found.extend(overridden(facts));
    found.extend(everything(facts));
    // A pattern that was meant for the module says more than that there is none.
    if found.iter().all(|finding| finding.suppresses.is_empty()) {
        found.extend(unnamed(facts));
    }
    found
}

/// E54: a pattern that takes every module for private, so that none is asked of the module proxy.
fn everything(facts: &Facts<'_>) -> Option<Finding> {
    let name = if facts.go("GONOPROXY").is_some() { "GONOPROXY" } else { "GOPRIVATE" };
    let (value, place) = facts.go(name)?;
    let is_all = elements(value.raw()).any(|it| matches!(it, "*" | "**" | "*.*" | "?*" | "*/*"));
    let module = facts.modules.iter().find(|module| !is_private_host(facts, module.host()))?;
    if !is_all || facts.elements().is_empty() {
        return None;
    }
    let first = facts.elements().first().map(|it| Private::of("GOPROXY", it)).unwrap_or_default();
    let cause = format!(
        "{name}={value} ({place}) matches every module: {} comes from its own host, and {first} is not asked.",
        module.path
    );
    let finding = facts
        .finding("E54", Severity::Warning, cause)
        .seen(Kind::Variable, place, format!("{name}={value}"), "the private hosts only")
        .affects(&[Tool::Go, Tool::Git])
        .reproduce("go env GOPRIVATE GONOPROXY")
        .explains(&[DIRECT, &["P10", "P12", "G17", "H19", "H20", "H21", "T02", "T20"]].concat());
    Some(fix::go(facts, finding, name, None))
}

/// E09: a module of a host that looks private, and that no pattern names.
fn unnamed(facts: &Facts<'_>) -> Option<Finding> {
    if !facts.is_for_go() || facts.elements().is_empty() {
        return None;
    }
    let module = facts.proxied().find(|module| is_private_host(facts, module.host()))?;
    let host = module.host();
    let (list, place) = facts.go("GOPRIVATE").map_or_else(
        || (String::new(), Place::Default("go")),
        |(value, place)| (value.to_string(), place),
    );
    let new = if list.is_empty() { host.to_owned() } else { format!("{list},{host}") };
    let first = facts.elements().first().map(|it| Private::of("GOPROXY", it)).unwrap_or_default();
    let cause = format!(
        "{} looks private, no pattern of GOPRIVATE names it, and so {first} is asked for it.",
        module.path
    );
    let finding = facts
        .finding("E09", Severity::Info, cause)
        .seen(Kind::Variable, place, format!("GOPRIVATE={list}"), format!("GOPRIVATE={new}"))
        .affects(&[Tool::Go])
        .reproduce("go env GOPRIVATE")
        .explains(&["M01", "M02", "M03", "M04", "S04"]);
    Some(fix::go(facts, finding, "GOPRIVATE", Some(&new)))
}

/// Returns whether a host is hardly one of everybody's: by its name, or because somebody keeps a login for it.
fn is_private_host(facts: &Facts<'_>, host: &str) -> bool {
    /// Domains that the internet does not have (RFC 6761, RFC 6762, RFC 9476 and habit).
    const INTERNAL: &[&str] = &[
        "corp",
        "example",
        "home",
        "internal",
        "intra",
        "intranet",
        "lan",
        "local",
        "localdomain",
        "private",
        "test",
    ];
    let top = host.rsplit('.').next().unwrap_or_default();
    let machine = facts.machine;
    let names = |name: &str| {
        let patterns = facts.go(name).map(|(value, _)| value.raw().to_owned());
        patterns.is_some_and(|patterns| pattern::matches(&patterns, host))
    };
    INTERNAL.contains(&top)
        || ["GONOSUMDB", "GOINSECURE"].iter().any(|name| names(name))
        || machine
            .gocred
            .accounts
            .iter()
            .any(|it| super::facts::place(&it.origin).is_some_and(|it| it.host == host))
        || machine.git_config.iter().any(|it| {
            (it.key.starts_with("credential.") || it.key.starts_with("url."))
                && it.key.contains(host)
        })
}

/// What is wrong with one pattern.
struct Flaw {
    code: &'static str,
    /// What go makes of it, behind "`pattern` ".
    why: &'static str,
    /// What was meant.
    mended: Option<String>,
    /// Whether it can match nothing at all.
    is_dead: bool,
}

fn flaws(facts: &Facts<'_>, name: &'static str, (value, place): &Set) -> Vec<Finding> {
    let raw = value.raw();
    let mut found: Vec<Finding> = Vec::new();
    for element in elements(raw) {
        let Some(flaw) = flaw(element, facts) else { continue };
        if found.iter().any(|it| it.entry.code == flaw.code) {
            continue;
        }
        let concerned = concerned(facts, raw, &flaw);
        if concerned.is_none() && !flaw.is_dead {
            continue;
        }
        let shown = Private::of(name, element.trim());
        let meant = concerned
            .as_ref()
            .map_or(String::new(), |module| format!(", so {module} is not taken for private"));
        let cause = format!("`{shown}` in {name} ({place}) {}{meant}.", flaw.why);
        let severity = match &concerned {
            Some(_) if is_public(facts) && name != "GONOSUMDB" => Severity::Error,
            _ => Severity::Warning,
        };
        let expected = mended(raw, facts);
        let finding = facts
            .finding(flaw.code, severity, cause)
            .seen(
                Kind::Variable,
                place.clone(),
                format!("{name}={value}"),
                Private::of(name, expected.as_str()).to_string(),
            )
            .affects(&[Tool::Go])
            .reproduce(format!("go env {name}"));
        // A pattern of which nothing can be guessed explains only what no other does.
        let may_explain = concerned.is_some() || flaw.mended.is_none() && may_be_meant(facts, raw);
        let finding = if may_explain { finding.explains(NOT_THERE) } else { finding };
        let new = (!expected.is_empty()).then_some(expected.as_str());
        found.push(fix::go(facts, finding, name, new));
    }
    found
}

/// Cuts a list as it was meant: at commas and at `;`.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|element| !element.trim().is_empty())
}

/// Returns what is wrong with one element.
fn flaw(element: &str, facts: &Facts<'_>) -> Option<Flaw> {
    let trimmed = element.trim();
    quotes(trimmed)
        .or_else(|| separators(element, trimmed))
        .or_else(|| notation(trimmed))
        .or_else(|| depth(trimmed, facts))
        .or_else(|| domain(trimmed))
}

/// A pattern that can match nothing.
fn dead(code: &'static str, why: &'static str, mended: Option<String>) -> Flaw {
    Flaw { code, why, mended, is_dead: true }
}

/// A pattern that matches less than was meant.
fn narrow(code: &'static str, why: &'static str, mended: String) -> Flaw {
    Flaw { code, why, mended: Some(mended), is_dead: false }
}

/// E05: quotation marks that no shell took off.
fn quotes(trimmed: &str) -> Option<Flaw> {
    let is_mark = |c: char| matches!(c, '"' | '\'' | '\u{201c}' | '\u{201d}');
    let mended = trimmed.trim_matches(is_mark).trim();
    let why = "matches nothing, because the quotation mark is part of the pattern";
    (trimmed.starts_with(is_mark) || trimmed.ends_with(is_mark))
        .then(|| dead("E05", why, Some(mended.to_owned())))
}

/// E12 and E16: what separates patterns, and what does not.
fn separators(element: &str, trimmed: &str) -> Option<Flaw> {
    if trimmed.contains(';') {
        let mended = trimmed.split(';').map(str::trim).collect::<Vec<_>>().join(",");
        let why = "is one pattern for go, because only a comma separates: it matches nothing";
        return Some(dead("E16", why, Some(mended)));
    }
    if trimmed.len() != element.len() {
        let why = "matches nothing, because the blank is part of the pattern";
        return Some(dead("E12", why, Some(trimmed.to_owned())));
    }
    if trimmed.contains(char::is_whitespace) {
        let mended = trimmed.split_whitespace().collect::<Vec<_>>().join(",");
        return Some(dead(
            "E12",
            "matches nothing, because blanks do not separate patterns",
            Some(mended),
        ));
    }
    None
}

/// E11, E13, E15, E17: what is no glob of module paths.
fn notation(pattern: &str) -> Option<Flaw> {
    if let Some((_, rest)) = pattern.split_once("://") {
        let why = "matches nothing, because a module path has no scheme";
        return Some(dead("E11", why, Some(host_and_path(rest))));
    }
    if is_block(pattern) {
        return Some(dead(
            "E13",
            "matches nothing, because go compares names and never addresses",
            None,
        ));
    }
    if pattern::glob_matches(pattern, "").is_err() {
        let mended = pattern.split(['[', '\\']).next().unwrap_or_default().trim_end_matches('/');
        let mended = Some(mended.to_owned()).filter(|mended| mended.contains('.'));
        return Some(dead("E17", "is malformed, and go passes over it without a word", mended));
    }
    let first = pattern.split('/').next().unwrap_or_default();
    if first.contains(':') {
        let why = "matches nothing, because a module path has no port";
        return Some(dead("E11", why, Some(host_and_path(pattern))));
    }
    if first.contains(|c: char| c.is_ascii_uppercase()) && !first.contains('[') {
        let why = "matches nothing, because the host of a module path is in lower case";
        return Some(dead(
            "E15",
            why,
            Some(pattern.replacen(first, &first.to_ascii_lowercase(), 1)),
        ));
    }
    None
}

/// E14: more elements than the module has.
fn depth(pattern: &str, facts: &Facts<'_>) -> Option<Flaw> {
    if let Some(shorter) = pattern.strip_suffix("/...") {
        let why = "matches nothing, because go knows no `...` in a pattern";
        return Some(dead("E14", why, Some(shorter.to_owned())));
    }
    if let Some(begun) = begun(pattern, facts) {
        let why = "is read as whole elements of a path, and not as what it begins with";
        return Some(narrow("E58", why, begun));
    }
    let deeper = facts.modules.iter().find_map(|module| {
        let elements: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
        let depth = module.path.split('/').count();
        let shorter = elements.get(..depth).filter(|shorter| shorter.len() < elements.len())?;
        let shorter = shorter.join("/");
        pattern::glob_matches(&shorter, &module.path).is_ok_and(|is_it| is_it).then_some(shorter)
    })?;
    Some(narrow("E14", "has more elements than the module's path", deeper))
}

/// E58: half an element of a module's path, `h.test/team-` for `h.test/team-a/x`; the pattern that was meant.
fn begun(pattern: &str, facts: &Facts<'_>) -> Option<String> {
    let is_begun = |path: &str| {
        path.strip_prefix(pattern).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    };
    let is_path = pattern.split_once('/').is_some_and(|(_, path)| !path.is_empty());
    let is_it =
        is_path && !pattern.ends_with('/') && facts.modules.iter().any(|it| is_begun(&it.path));
    is_it.then(|| format!("{pattern}*"))
}

/// E10: a domain, and what is below it.
fn domain(pattern: &str) -> Option<Flaw> {
    if let Some(domain) = pattern.strip_prefix('.') {
        let mended = format!("*.{domain},{domain}");
        return Some(dead("E10", "matches nothing, because go knows no leading dot", Some(mended)));
    }
    if let Some(domain) = pattern.strip_prefix("*.").filter(|domain| !domain.contains('*')) {
        return Some(narrow(
            "E10",
            "does not match the domain itself",
            format!("{pattern},{domain}"),
        ));
    }
    if !pattern.contains(['*', '?', '[']) && (pattern.contains('.') || !pattern.contains('/')) {
        let mended = format!("*.{pattern},{pattern}");
        return Some(narrow("E10", "matches this very host, and none below it", mended));
    }
    None
}

/// Returns a pattern without what stands around host and path.
fn host_and_path(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    if path.is_empty() { host } else { format!("{host}/{path}") }
}

/// Returns whether an element is an address or a block of addresses.
fn is_block(element: &str) -> bool {
    let (address, length) = element.split_once('/').unwrap_or((element, "0"));
    address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok()
}

/// Returns the module that a mended element would match, and the list as it is does not.
fn concerned(facts: &Facts<'_>, list: &str, flaw: &Flaw) -> Option<String> {
    let meant = flaw.mended.as_deref()?;
    let mut modules = facts.modules.iter().map(|module| &module.path);
    let is_it = |path: &&String| !pattern::matches(list, path) && pattern::matches(meant, path);
    modules.find(is_it).cloned()
}

/// Returns the whole list, each element as it was meant.
fn mended(list: &str, facts: &Facts<'_>) -> String {
    let mut mended: Vec<String> = Vec::new();
    for element in elements(list) {
        let meant = match flaw(element, facts) {
            Some(Flaw { code: "E10", mended, is_dead, .. }) => {
                let is_wanted = |path: &str| {
                    mended.as_deref().is_some_and(|mended| pattern::matches(mended, path))
                };
                let is_wanted = facts.modules.iter().any(|module| is_wanted(&module.path));
                if is_dead || is_wanted { mended } else { Some(element.trim().to_owned()) }
            }
            Some(flaw) => flaw.mended,
            None => Some(element.trim().to_owned()),
        };
        for part in meant.iter().flat_map(|meant| meant.split(',')) {
            if !part.is_empty() && !mended.iter().any(|own| own == part) {
                mended.push(part.to_owned());
            }
        }
    }
    mended.join(",")
}

/// Returns whether the first proxy of the list is one of everybody's.
fn is_public(facts: &Facts<'_>) -> bool {
    let elements = facts.elements();
    let first = elements.first().and_then(|first| super::facts::place(first));
    first.is_some_and(|place| PUBLIC.contains(&place.host.as_str()))
}

/// Returns whether a wanted module could be what an unreadable pattern was meant for.
fn may_be_meant(facts: &Facts<'_>, list: &str) -> bool {
    facts.modules.iter().any(|module| {
        let host = module.host();
        let is_open = host == "github.com" || OPEN.contains(&host) || host.starts_with("example.");
        !pattern::matches(list, &module.path) && !is_open
    })
}

/// E18: GONOPROXY or GONOSUMDB stands in the place of GOPRIVATE, and does not name the module.
fn overridden(facts: &Facts<'_>) -> Vec<Finding> {
    let Some((private, _)) = facts.go("GOPRIVATE") else { return Vec::new() };
    let mut found = Vec::new();
    for name in ["GONOPROXY", "GONOSUMDB"] {
        let Some((value, place)) = facts.go(name) else { continue };
        let lost = facts.modules.iter().map(|module| &module.path).find(|path| {
            pattern::matches(private.raw(), path) && !pattern::matches(value.raw(), path)
        });
        let Some(lost) = lost else { continue };
        let cause = format!(
            "{name} ({place}) counts instead of GOPRIVATE, and does not match {lost}: {}.",
            if name == "GONOPROXY" {
                "a module proxy is asked for it"
            } else {
                "the checksum database is asked for it"
            }
        );
        let is_bad = name == "GONOPROXY" && is_public(facts);
        let severity = if is_bad { Severity::Error } else { Severity::Warning };
        let explained: &[&str] =
            if name == "GONOPROXY" { NOT_THERE } else { &["S01", "S02", "S03", "S04", "S11"] };
        let finding = facts
            .finding("E18", severity, cause)
            .seen(Kind::Variable, place, format!("{name}={value}"), format!("{name} not set"))
            .affects(&[Tool::Go])
            .explains(explained);
        found.push(fix::go(facts, finding, name, None));
    }
    found
}
