//! What `--fix` can do about findings of the network: a setting of the user's led there, and the judges, which
//! see a way and no files, name it. It deliberately invents nothing: where the setting is not found in a file of
//! the user's, the finding stays as it is.

use std::collections::BTreeSet;

use crate::core::doctor::{
    checks::{Facts, fix, proxies::VARIABLES},
    finding::{Change, Finding, Kind, Severity, Tool},
    machine::{GitValue, Machine},
    place::Place,
    private::Private,
    target::Target,
};

/// Adds the changes.
pub fn offer(target: &Target, machine: &Machine, findings: &mut [Finding]) {
    let facts = Facts::of(target, machine);
    for index in 0..findings.len() {
        let other = findings.get(index).and_then(|finding| match finding.entry.code {
            "E29" if is_gos_alone(findings, finding) => lower(&facts, finding),
            "E36" if is_others(findings, finding) => without(&facts, finding),
            _ => None,
        });
        if let (Some(other), Some(own)) = (other, findings.get_mut(index)) {
            *own = other;
        }
        let Some(finding) = findings.get(index).filter(|it| it.fix.changes.is_empty()) else {
            continue;
        };
        let mended = match finding.entry.code {
            "P09" => machine
                .git_value("http.proxyauthmethod")
                .map(|own| fix::git(&facts, finding.clone(), own, None)),
            "P29" | "P32" => rescheme(&facts, finding, "http"),
            "P30" => rescheme(&facts, finding, "https"),
            "G14" | "G15" => rewritten(&facts, finding),
            "T21" => trusting(&facts, finding),
            "A16" | "G08" => same(findings, finding),
            _ => None,
        };
        let mended = mended.filter(|it| !it.fix.changes.is_empty());
        if let (Some(mended), Some(own)) = (mended, findings.get_mut(index)) {
            *own = mended;
        }
    }
}

/// Returns whose fetches fail by what a finding explains.
fn failing(findings: &[Finding], finding: &Finding) -> BTreeSet<Tool> {
    let failed = findings.iter().filter(|other| {
        other.severity == Severity::Error && finding.suppresses.contains(other.entry.code)
    });
    failed.flat_map(|other| other.affects.iter().copied()).collect()
}

fn is_gos_alone(findings: &[Finding], finding: &Finding) -> bool {
    failing(findings, finding).into_iter().eq([Tool::Go])
}

fn is_others(findings: &[Finding], finding: &Finding) -> bool {
    failing(findings, finding).iter().any(|tool| *tool != Tool::Go)
}

/// Of two spellings, the small letters lead there, and go does not read them first.
fn lower(facts: &Facts<'_>, finding: &Finding) -> Option<Finding> {
    let [Place::Variable(upper), Place::Variable(lower)] =
        [&finding.evidence.first()?.place, &finding.evidence.get(1)?.place]
    else {
        return None;
    };
    let value = facts.machine.variable(lower)?;
    let mut finding = finding.clone();
    finding.fix.changes.clear();
    let finding = fix::variable(facts, finding, upper, Some(value.raw()));
    Some(finding.run(format!("export {upper}=\"${lower}\"")))
}

/// `ALL_PROXY` leads nowhere, so that go shall not follow it, either.
fn without(facts: &Facts<'_>, finding: &Finding) -> Option<Finding> {
    let mut names =
        ["all_proxy", "ALL_PROXY"].iter().filter(|name| facts.machine.variable(name).is_some());
    let first = names.next()?;
    let mut finding = finding.clone();
    finding.fix.changes.clear();
    let finding = fix::variable(facts, finding, first, None);
    Some(names.fold(finding, |finding, name| {
        let other = fix::variable(facts, finding.clone(), name, None);
        finding.with_changes_of(other)
    }))
}

/// Has a proxy be spoken to by another scheme. A login is never sent in clear that was not before.
fn rescheme(facts: &Facts<'_>, finding: &Finding, scheme: &str) -> Option<Finding> {
    let place = &finding.evidence.iter().rfind(|seen| seen.kind == Kind::Variable)?.place;
    let Place::Variable(name) = place else {
        let own = facts.machine.git_config.iter().find(|own| own.place == *place)?;
        let new = with_scheme(&own.value, scheme)?;
        return Some(fix::git(facts, finding.clone(), own, Some(&new)));
    };
    let value = facts.machine.variable(name)?;
    // The tools do not all read the same of them.
    let names = VARIABLES.iter().filter(|name| facts.machine.variable(name) == Some(value));
    Some(names.fold(finding.clone(), |finding, name| {
        let Some(new) = with_scheme(value, scheme) else {
            return secured(facts, finding, name, value, scheme);
        };
        let other = fix::variable(facts, finding.clone(), name, Some(&new));
        finding.with_changes_of(other)
    }))
}

/// Returns a proxy without a login, by another scheme.
fn with_scheme(value: &Private, scheme: &str) -> Option<String> {
    let rest = value.raw().split_once("://").map_or_else(|| value.raw(), |(_, rest)| rest);
    (!rest.contains('@')).then(|| format!("{scheme}://{rest}"))
}

/// Writes `https` for `http` before a login, which is not written anew.
fn secured(
    facts: &Facts<'_>,
    finding: Finding,
    name: &str,
    value: &Private,
    scheme: &str,
) -> Finding {
    if scheme != "https" || !value.raw().starts_with("http://") {
        return finding;
    }
    let lines = fix::exports(facts, name).into_iter();
    lines.fold(finding, |finding, (file, line)| {
        let (from, to) = ("http://".to_owned(), "https://".to_owned());
        finding.change(Change::Part { file, line, nth: 0, from, to })
    })
}

/// Has git take `https` where a page names another scheme: what the finding's command says.
fn rewritten(facts: &Facts<'_>, finding: &Finding) -> Option<Finding> {
    let setting = finding.fix.command.strip_prefix("git config --global ")?;
    let (key, value) = setting.split_once(' ')?;
    let [key, value] = [key, value].map(|word| word.trim_matches('\''));
    let is_it = key.starts_with("url.https://") && key.ends_with(".insteadOf");
    let is_one = facts.machine.variable("GIT_CONFIG_GLOBAL").is_none();
    let file = facts.machine.home.as_ref().filter(|_| is_it && is_one)?.join(".gitconfig");
    let (key, value) = (key.to_owned(), value.to_owned());
    Some(finding.clone().change(Change::GitAdd { file, key, value }))
}

/// Takes away the setting that names a file without any authority in it.
fn trusting(facts: &Facts<'_>, finding: &Finding) -> Option<Finding> {
    let own: Option<&GitValue> = facts.machine.git_value("http.sslcainfo");
    let variable = facts.machine.variable("GIT_SSL_CAINFO");
    if finding.affects.contains(&Tool::Git)
        && let (Some(own), None) = (own, variable)
    {
        return Some(fix::git(facts, finding.clone(), own, None));
    }
    let names: &[&str] = if finding.affects.contains(&Tool::Git) {
        &["GIT_SSL_CAINFO", "SSL_CERT_FILE"]
    } else {
        &["SSL_CERT_FILE", "SSL_CERT_DIR"]
    };
    let is_set = |name: &&&str| facts.machine.variable(name).map(Private::raw).is_some();
    let name = names.iter().find(is_set)?;
    Some(fix::variable(facts, finding.clone(), name, None))
}

/// Takes what the checks offer for the same code.
fn same(findings: &[Finding], finding: &Finding) -> Option<Finding> {
    let other = findings
        .iter()
        .find(|it| it.entry.code == finding.entry.code && !it.fix.changes.is_empty())?;
    let mut mended = finding.clone();
    mended.fix.changes.clone_from(&other.fix.changes);
    Some(mended)
}

#[cfg(test)]
mod tests {
    use super::{Change, Finding, Kind, Machine, Place, Private, Target, Tool, offer};
    use crate::core::doctor::{
        catalogue::entry,
        machine::{GitValue, Text},
    };

    fn machine(profile: &str) -> Machine {
        Machine {
            home: Some("/home/a".into()),
            startup: vec![Text::of("/home/a/.profile", profile)],
            ..Machine::default()
        }
    }

    fn offered(code: &'static str, place: Place, machine: &Machine) -> Vec<Change> {
        let finding = Finding::new(entry(code), "x").affects(&[Tool::Git]);
        let mut found = [finding.seen(Kind::Variable, place, "seen", "")];
        offer(&Target::Here, machine, &mut found);
        let [found] = found;
        found.fix.changes
    }

    #[test]
    fn a_proxy_is_written_with_the_scheme_that_it_speaks() {
        let place = || Place::Variable("https_proxy".to_owned());
        for (code, value, new) in [
            ("P29", "https://h:1", Some("export https_proxy=http://h:1")),
            ("P30", "h:1", Some("export https_proxy=https://h:1")),
            ("P32", "socks5h://h:1", Some("export https_proxy=http://h:1")),
            ("P29", "https://u:hunter2@h:1", None),
        ] {
            let mut machine = machine(&format!("\nexport https_proxy={value}\n"));
            machine.variables.insert("https_proxy".to_owned(), Private::new(value));
            let wanted = new.map(|new| Change::Line {
                file: "/home/a/.profile".into(),
                line: 2,
                text: Some(new.to_owned()),
            });
            assert_eq!(offered(code, place(), &machine), Vec::from_iter(wanted), "{code} {value}");
        }
        // With a login, the two letters of the scheme are all that is written.
        let value = "http://u:hunter2@h:1";
        let mut machine = machine(&format!("export https_proxy={value}\n"));
        machine.variables.insert("https_proxy".to_owned(), Private::new(value));
        let [Change::Part { from, to, .. }] = &offered("P30", place(), &machine)[..] else {
            panic!("no part")
        };
        assert_eq!((from.as_str(), to.as_str()), ("http://", "https://"));
    }

    #[test]
    fn of_two_spellings_the_one_that_works_is_taken_for_both() {
        let mut machine = machine("export HTTPS_PROXY=http://a:1\nexport https_proxy=http://b:1\n");
        for (name, value) in [("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:1")] {
            machine.variables.insert(name.to_owned(), Private::new(value));
        }
        let target = Target::Url("https://h.test/x.git".to_owned());
        for (tool, line, text) in [
            (Tool::Go, 1, "export HTTPS_PROXY=http://b:1"),
            (Tool::Git, 2, "export https_proxy=http://a:1"),
        ] {
            let mut found = crate::core::doctor::checks::all(&target, &machine);
            found.push(Finding::new(entry("P27"), "x").affects(&[tool]));
            offer(&target, &machine, &mut found);
            let found = found.iter().find(|it| it.entry.code == "E29").unwrap();
            let (file, text) = ("/home/a/.profile".into(), Some(text.to_owned()));
            assert_eq!(found.fix.changes, [Change::Line { file, line, text }]);
        }
    }

    #[test]
    fn a_setting_of_git_is_found_by_its_place() {
        let mut machine = machine("");
        let place = Place::File("/home/a/.gitconfig".into(), Some(2));
        let value = |is_local| GitValue {
            key: "http.proxy".to_owned(),
            value: Private::new("https://h:1"),
            place: place.clone(),
            is_local,
        };
        machine.git_config = vec![value(false)];
        assert!(matches!(
            &offered("P29", place.clone(), &machine)[..],
            [Change::GitConfig { value: Some(value), .. }] if value == "http://h:1"
        ));
        // A repository's own is left alone.
        machine.git_config = vec![value(true)];
        assert_eq!(offered("P29", place, &machine), []);
    }
}
