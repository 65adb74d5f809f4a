//! What `--fix` can do about findings of the network: a setting of the user's led there, and the judges, which
//! see a way and no files, name it. It deliberately invents nothing: where the setting is not found in a file of
//! the user's, the finding stays as it is.

use crate::core::doctor::{
    checks::{Facts, fix},
    finding::{Change, Finding, Kind, Tool},
    machine::{GitValue, Machine},
    place::Place,
    private::Private,
    target::Target,
};

/// Adds the changes.
pub fn offer(target: &Target, machine: &Machine, findings: &mut [Finding]) {
    let facts = Facts::of(target, machine);
    for index in 0..findings.len() {
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

/// Has a proxy be spoken to by another scheme. A login is never sent in clear that was not before.
fn rescheme(facts: &Facts<'_>, finding: &Finding, scheme: &str) -> Option<Finding> {
    let place = &finding.evidence.iter().rfind(|seen| seen.kind == Kind::Variable)?.place;
    let git = |place: &Place| facts.machine.git_config.iter().find(|own| own.place == *place);
    let value = match place {
        Place::Variable(name) => facts.machine.variable(name)?,
        place => &git(place)?.value,
    };
    let (old, rest) = value.raw().split_once("://").unwrap_or_else(|| ("", value.raw()));
    if !rest.contains('@') {
        let new = format!("{scheme}://{rest}");
        return Some(match place {
            Place::Variable(name) => fix::variable(facts, finding.clone(), name, Some(&new)),
            place => fix::git(facts, finding.clone(), git(place)?, Some(&new)),
        });
    }
    let Place::Variable(name) = place else { return None };
    let (Place::File(file, Some(line)), said) = facts.machine.exported(name)? else { return None };
    let is_it = scheme == "https" && old == "http" && said == *value && fix::is_own(facts, &file);
    let (from, to) = ("http://".to_owned(), "https://".to_owned());
    is_it.then(|| finding.clone().change(Change::Part { file, line, nth: 0, from, to }))
}

/// Has git take `https` where a page names another scheme: what the finding's command says.
fn rewritten(facts: &Facts<'_>, finding: &Finding) -> Option<Finding> {
    let setting = finding.fix.command.strip_prefix("git config --global ")?;
    let (key, value) = setting.split_once(' ')?;
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
