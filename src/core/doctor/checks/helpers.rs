//! git's credential helpers, as far as files show. G01, G02, G28, G29, K04.

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        checks::{Facts, fix},
        finding::{Change, Finding, Kind, Severity, Tool},
        gitfile::Helper,
        machine::{GitValue, What},
        place::Place,
        private::Private,
    },
    setup::gitconfig::runs_gocred,
};

/// What a helper that gives nothing ends in.
const SILENT: &[&str] = &["A01", "A03", "A04", "G03", "G04"];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        active(facts).into_iter().filter_map(|it| of_helper(facts, it)).collect();
    found.extend(stored(facts));
    found.extend(askpass(facts));
    found.extend(shadowed(facts));
    found
}

/// Returns the helpers that git asks: what follows the last reset of their key.
fn active<'a>(facts: &Facts<'a>) -> Vec<&'a GitValue> {
    let mut active: Vec<&GitValue> = Vec::new();
    let is_helper = |key: &str| {
        key == "credential.helper" || key.starts_with("credential.") && key.ends_with(".helper")
    };
    for entry in facts.machine.git_config.iter().filter(|entry| is_helper(&entry.key)) {
        if entry.value.raw().is_empty() {
            active.retain(|own| own.key != entry.key && entry.key != "credential.helper");
        } else {
            active.push(entry);
        }
    }
    active
}

/// G01 and G02: the program is not there, or is none.
fn of_helper(facts: &Facts<'_>, entry: &GitValue) -> Option<Finding> {
    let helper = Helper::parse(entry.value.raw());
    let shown = Private::new(entry.key.clone());
    let start = |code, what: String, expected: &str| {
        let own = entry.value.helper();
        let cause = format!("git asks the helper `{own}` ({}), {what}.", entry.place);
        facts
            .finding(code, Severity::Warning, cause)
            .seen(Kind::File, entry.place.clone(), format!("{shown}={own}"), expected)
            .affects(&[Tool::Git, Tool::Go])
            .reproduce("git config --show-origin --get-all credential.helper")
            .explains(SILENT)
    };
    match &helper {
        Helper::Reset | Helper::Shell => None,
        Helper::Name(_) => {
            let program = helper.program()?;
            if facts.machine.programs.get(&program).is_none_or(Option::is_some) {
                return None;
            }
            let finding = start(
                "G01",
                format!("and {} is not there", Private::new(&program).programs()),
                "a helper that is installed",
            );
            Some(fix::git(facts, finding, entry, None))
        }
        Helper::Path(path) => {
            let about = facts.machine.paths.get(path)?;
            let shown = fix::quoted(&path.display().to_string());
            match about.what {
                What::Missing => {
                    let finding =
                        start("G01", format!("and {} is not there", path.display()), "a file");
                    Some(fix::git(facts, finding, entry, None))
                }
                What::File if about.mode & 0o111 == 0 && !cfg!(windows) => {
                    let what = format!("but {} may not be executed", path.display());
                    let finding = start("G02", what, "mode 0755").run(format!("chmod +x {shown}"));
                    let mode = about.mode | 0o100 | (about.mode & 0o044) >> 2;
                    let is_own = about.owner == facts.machine.uid;
                    Some(if is_own {
                        finding.change(Change::Mode { file: path.clone(), mode })
                    } else {
                        finding
                    })
                }
                What::Folder => {
                    let finding =
                        start("G01", format!("and {} is a folder", path.display()), "a file");
                    Some(fix::git(facts, finding, entry, None))
                }
                What::File | What::Other => None,
            }
        }
    }
}

/// G28: lines of git-credential-store's file that it passes over.
fn stored(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in &facts.machine.git_credentials {
        let Some(text) = &file.text else { continue };
        // A note or a blank is passed over, too, and nobody misses it.
        let is_meant = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let bad = text.expose_secret().lines().position(|line| is_meant(line) && !is_stored(line));
        let Some(index) = bad else { continue };
        let place = Place::File(path.clone(), Some(index + 1));
        let cause = format!(
            "{place} is no URL that git-credential-store reads: `/`, `#`, `?`, `@` and `%` of a password must be percent-encoded."
        );
        let finding = facts
            .finding("G28", Severity::Warning, cause)
            .seen(Kind::File, place, "a line that git passes over", "https://user:password@host")
            .affects(&[Tool::Git, Tool::Go])
            .run("gocred import")
            .explains(SILENT);
        found.push(finding);
    }
    found
}

/// Returns whether a line is what git wrote there (git's `credential_from_url_gently`).
fn is_stored(line: &str) -> bool {
    let Some((scheme, rest)) = line.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((login, host)) = authority.split_once('@') else { return false };
    let has_odd = |text: &str| text.contains(['#', '?', ' ']);
    let is_encoded = login.split('%').skip(1).all(|part| {
        part.get(..2).is_some_and(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    !scheme.is_empty()
        && login.contains(':')
        && is_encoded
        && !has_odd(login)
        && !has_odd(host)
        && !host.is_empty()
        && !host.contains('@')
}

/// G29: the program that asks for a password is not there.
fn askpass(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let variable = |name: &str| {
        Some((machine.variable(name)?.clone(), Place::Variable(name.to_owned()), None))
    };
    let (value, place, entry) = variable("GIT_ASKPASS")
        .or_else(|| {
            let own = machine.git_value("core.askpass")?;
            Some((own.value.clone(), own.place.clone(), Some(own)))
        })
        .or_else(|| variable("SSH_ASKPASS"))?;
    let path = std::path::Path::new(value.raw());
    let is_there = if path.is_absolute() {
        machine.paths.get(path).is_none_or(|stat| stat.what == What::File)
    } else {
        machine.programs.get(value.raw()).is_none_or(Option::is_some)
    };
    if value.raw().is_empty() || is_there {
        return None;
    }
    let cause =
        format!("git would ask for a password through {value} ({place}), which is not there.");
    let finding = facts
        .finding("G29", Severity::Warning, cause)
        .seen(Kind::File, place.clone(), value.to_string(), "a program")
        .affects(&[Tool::Git, Tool::Go])
        .explains(SILENT);
    Some(match (entry, place) {
        (Some(entry), _) => fix::git(facts, finding, entry, None),
        (None, Place::Variable(name)) => fix::variable(facts, finding, &name, None),
        (None, _) => finding,
    })
}

/// K04: gocred is one of the helpers, and another one is asked first.
fn shadowed(facts: &Facts<'_>) -> Option<Finding> {
    let general: Vec<&GitValue> =
        active(facts).into_iter().filter(|it| it.key == "credential.helper").collect();
    let ours = general.iter().position(|entry| runs_gocred(entry.value.raw()))?;
    let first = general.first().filter(|_| ours > 0)?;
    let shown = first.value.helper();
    let cause = format!("git asks `{shown}` ({}) before gocred.", first.place);
    let finding = facts
        .finding("K04", Severity::Warning, cause)
        .seen(Kind::File, first.place.clone(), format!("credential.helper={shown}"), "gocred first")
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin --get-all credential.helper")
        .run("gocred setup --git")
        .explains(&["A01", "A02", "G07", "G01"]);
    let own = general.get(ours)?;
    // Only where one file has both, their order is all that is wrong.
    match (&first.place, &own.place) {
        (Place::File(file, _), Place::File(other, _)) if file == other && !own.is_local => {
            let (file, helper) = (file.clone(), own.value.raw().to_owned());
            Some(if fix::is_own(facts, &file) {
                finding.change(Change::FirstHelper { file, helper })
            } else {
                finding
            })
        }
        _ => Some(finding),
    }
}

#[cfg(test)]
mod tests {
    use super::is_stored;

    #[test]
    fn a_stored_line_is_percent_encoded() {
        for line in ["https://a:b@h", "https://a:b%2Fc@h/x", "http://a:b@h%3a80"] {
            assert!(is_stored(line), "{line}");
        }
        for line in [
            "https://a:b/c@h",
            "https://a:b@c@h",
            "https://a:b#c@h",
            "a:b@h",
            "https://h",
            "https://a:%zz@h",
        ] {
            assert!(!is_stored(line), "{line}");
        }
    }
}
