//! `insteadOf` rules and headers that stand before every helper. G08–G11.

use crate::core::doctor::{
    checks::{DIRECT, Facts, facts, fix},
    finding::{Finding, Kind, Severity, Tool},
    machine::GitValue,
    plan::redirect,
    private::Private,
    route::git_target,
    target::Target,
};

/// What a login that is not taken ends in.
const REJECTED: &[&str] = &["A01", "A02", "A04", "A05", "A07", "G07", "A31"];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let urls = urls(facts);
    let mut found = Vec::new();
    for rule in rules(facts) {
        found.extend(of_rule(facts, &rule, &urls));
    }
    found.extend(headers(facts, &urls));
    found
}

/// `url.<base>.insteadOf = <prefix>`: what begins with the prefix begins with the base instead.
struct Rule<'a> {
    base: &'a str,
    prefix: &'a str,
    entry: &'a GitValue,
}

fn rules<'a>(facts: &Facts<'a>) -> Vec<Rule<'a>> {
    let rule = |entry: &'a GitValue| {
        let base = entry.key.strip_prefix("url.")?.strip_suffix(".insteadof")?;
        Some(Rule { base, prefix: entry.value.raw(), entry })
    };
    facts.machine.git_config.iter().filter_map(rule).collect()
}

/// Returns the URLs that git is given for what is wanted.
fn urls(facts: &Facts<'_>) -> Vec<String> {
    match facts.target {
        // A short form (`acme:team/lib`) is read as ssh before anybody looks at the rules.
        Target::Url(url) => {
            let forms = redirect::url(url).map(|link| git_target::ssh_forms(&link));
            std::iter::once(url.clone()).chain(forms.unwrap_or_default()).collect()
        }
        Target::Module { .. } | Target::Here => {
            let elements = facts.elements();
            let is_direct = |path: &str| facts.is_private(path) || elements.is_empty();
            let own = facts.modules.iter().filter(|module| is_direct(&module.path));
            own.map(|module| format!("https://{}", module.path)).collect()
        }
    }
}

/// Returns whether a rule is the one that git takes for a URL: the longest prefix (`alias_url`).
fn applies(facts: &Facts<'_>, rule: &Rule<'_>, url: &str) -> bool {
    let longest = rules(facts)
        .into_iter()
        .filter(|it| url.starts_with(it.prefix))
        .max_by_key(|it| it.prefix.len());
    longest.is_some_and(|it| it.prefix == rule.prefix && it.base == rule.base)
}

fn of_rule(facts: &Facts<'_>, rule: &Rule<'_>, urls: &[String]) -> Option<Finding> {
    let Rule { base, prefix, entry } = rule;
    let shown = Private::new(*base);
    let used = urls.iter().find(|url| applies(facts, rule, url));
    let place = &entry.place;
    let start = |code, severity, cause: String, expected: &str| {
        let observed = format!("url.{shown}.insteadOf={}", entry.value);
        facts
            .finding(code, severity, cause)
            .seen(Kind::File, place.clone(), observed, expected)
            .affects(&[Tool::Git, Tool::Go])
            .reproduce("git config --show-origin --get-regexp 'insteadof$'")
    };
    let authority =
        base.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let is_url = base.contains("://");
    let lost = prefix.ends_with('/') && !base.ends_with(['/', ':']);
    if lost && is_url {
        let result = used.map(|url| {
            Private::new(format!("{base}{}", url.get(prefix.len()..).unwrap_or_default()))
        });
        let severity = if used.is_some() { Severity::Error } else { Severity::Warning };
        let cause = match result {
            Some(result) => format!(
                "{place} turns the URL into {result}: a slash is lost at the end of the rule."
            ),
            None => {
                format!("{place} replaces {prefix} with {shown}: the slash at its end is lost.")
            }
        };
        let finding = start("G09", severity, cause, "a slash at both ends, or at none")
            .explains(&[DIRECT, REJECTED, &["D13"]].concat());
        return Some(fix::git(facts, finding, entry, Some(prefix.trim_end_matches('/'))));
    }
    if authority.contains('@') && base.starts_with("http") {
        let has_password = authority
            .rsplit_once('@')
            .is_some_and(|(login, _)| login.contains(':') || login.len() > 16);
        if !has_password {
            return None;
        }
        let cause = format!(
            "{place} writes a login into every URL that begins with {prefix}: git asks no helper for it."
        );
        let finding = start("G10", Severity::Warning, cause, "no login in the rule");
        let finding = if used.is_some() { finding.explains(REJECTED) } else { finding };
        return Some(fix::git(facts, finding, entry, None));
    }
    let is_ssh = base.starts_with("ssh://") || !is_url && base.contains('@') && base.ends_with(':');
    used.filter(|_| is_ssh)?;
    let cause = format!("{place} turns {prefix} into {shown}: git goes by ssh, past every proxy.");
    let finding = start("G08", Severity::Info, cause, "https")
        .explains(&["N01", "N02", "N03", "N04", "N05", "D01", "G14"]);
    Some(fix::git(facts, finding, entry, None))
}

/// G11: a header with a login, which git sends whatever the helpers say.
fn headers(facts: &Facts<'_>, urls: &[String]) -> Vec<Finding> {
    let is_header = |key: &str| {
        key == "http.extraheader" || key.starts_with("http.") && key.ends_with(".extraheader")
    };
    let entries = facts.machine.git_config.iter().filter(|entry| is_header(&entry.key));
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.value.raw().split(':').next().unwrap_or_default().trim().to_owned();
        if !name.eq_ignore_ascii_case("authorization") {
            continue;
        }
        let scope =
            entry.key.strip_prefix("http.").and_then(|key| key.strip_suffix(".extraheader"));
        let scope = scope.and_then(facts::place);
        let is_for = |url: &String| {
            scope
                .as_ref()
                .is_none_or(|scope| facts::place(url).is_some_and(|own| own.host == scope.host))
        };
        let key = Private::new(entry.key.clone());
        let cause = format!(
            "{key} ({}) sends a fixed login with every request: the helpers' answers do not count.",
            entry.place
        );
        let finding = facts
            .finding("G11", Severity::Warning, cause)
            .seen(Kind::File, entry.place.clone(), format!("{name}: ***"), "no Authorization")
            .affects(&[Tool::Git, Tool::Go])
            .reproduce("git config --show-origin --name-only --get-regexp extraheader");
        let finding = if urls.iter().any(is_for) { finding.explains(REJECTED) } else { finding };
        found.push(fix::git(facts, finding, entry, None));
    }
    found
}
