//! The command and the change that set something where it stands.

use std::path::{Path, PathBuf};

pub(super) use crate::core::doctor::shell::quoted;
use crate::core::doctor::{
    checks::Facts,
    finding::{Change, Finding},
    machine::{GitValue, Machine, Program},
    place::Place,
    plan::second::Second,
    private::Private,
};

/// Sets one of go's variables, or takes it away, where it stands. The value is shown: it holds no secret.
pub(super) fn go(facts: &Facts<'_>, finding: Finding, name: &str, value: Option<&str>) -> Finding {
    let setting = facts.machine.go_setting(name);
    let change = || Change::GoEnv { name: name.to_owned(), value: value.map(str::to_owned) };
    if let Some((set, Place::Variable(_))) = setting {
        let finding = variable(facts, finding, name, value);
        // What it hides may be the same.
        let hidden = facts.machine.goenv.as_ref().and_then(|file| file.setting(name));
        let is_same = hidden.is_some_and(|(_, own)| own == set);
        return if is_same { finding.change(change()) } else { finding };
    }
    let command = match value {
        Some(value) if is_secret(name, value) => match setting {
            Some((_, Place::File(file, Some(line)))) => {
                format!("\"${{EDITOR:-vi}}\" +{line} {}", quoted(&file.display().to_string()))
            }
            _ => format!("go env -u {name}"),
        },
        Some(value) => format!("go env -w {}", quoted(&format!("{name}={value}"))),
        None => format!("go env -u {name}"),
    };
    let finding = finding.run(command);
    // With GOENV=off there is no file to write.
    if facts.machine.goenv.is_none() {
        return finding;
    }
    finding.change(change())
}

/// Whether a value holds what no command line shows.
fn is_secret(name: &str, value: &str) -> bool {
    Private::of(name, value).to_string() != value
}

/// Sets an environment variable, or takes it away: in the startup files that set it, if any does.
pub(super) fn variable(
    facts: &Facts<'_>,
    finding: Finding,
    name: &str,
    value: Option<&str>,
) -> Finding {
    let command = match value {
        Some(value) if !is_secret(name, value) => format!("export {name}={}", quoted(value)),
        _ => format!("unset {name}"),
    };
    exports(facts, name).into_iter().fold(finding.run(command), |finding, (file, line)| {
        let text = line_of(&file, name, value);
        finding.change(Change::Line { file, line, text })
    })
}

/// Returns the lines of the user's startup files that set a variable to what it is, one a file.
pub(super) fn exports(facts: &Facts<'_>, name: &str) -> Vec<(PathBuf, usize)> {
    let own = facts.machine.variable(name);
    let files = facts.machine.startup.iter().filter(|file| is_own(facts, &file.path));
    let lines = files.filter_map(|file| {
        let (line, said) = file.exported(name)?;
        own.is_some_and(|own| *own == said).then(|| (file.path.clone(), line))
    });
    lines.collect()
}

/// Returns the line that sets a variable, or takes it away, in the grammar of its file. A shell's line is not
/// just dropped: it may be all that stands between `then` and `fi`.
fn line_of(file: &Path, name: &str, value: Option<&str>) -> Option<String> {
    let is_fish = file.extension().is_some_and(|end| end == "fish");
    let is_plain = file.extension().is_some_and(|end| end == "conf")
        || file.ends_with(".pam_environment")
        || file == Path::new("/etc/environment");
    match value {
        Some(value) if is_fish => Some(format!("set -gx {name} {}", quoted(value))),
        Some(value) if is_plain => Some(format!("{name}={value}")),
        Some(value) => Some(format!("export {name}={}", quoted(value))),
        None if is_plain => None,
        None if is_fish => Some(format!("set -e {name}")),
        None => Some(format!("unset {name}")),
    }
}

/// Takes a value of git's configuration away, or sets it.
pub(super) fn git(
    facts: &Facts<'_>,
    finding: Finding,
    value: &GitValue,
    new: Option<&str>,
) -> Finding {
    in_git(facts.machine, finding, value, new)
}

/// Has the second of two netrc entries for a host go before the first, where the network showed that it is taken.
pub(in crate::core::doctor) fn before(
    machine: &Machine,
    finding: Finding,
    second: &Second,
) -> Finding {
    if !is_homes(machine, &second.file) {
        return finding;
    }
    let (file, line, other) = (second.file.clone(), second.line, second.first);
    finding.change(Change::Before { file, line, other })
}

/// The same of what the network showed.
pub(in crate::core::doctor) fn take_away(
    machine: &Machine,
    finding: Finding,
    value: &GitValue,
) -> Finding {
    in_git(machine, finding, value, None)
}

fn in_git(machine: &Machine, finding: Finding, value: &GitValue, new: Option<&str>) -> Finding {
    let Place::File(file, line) = &value.place else {
        return match &value.place {
            Place::Variable(name) => finding.run(format!("unset {name}")),
            _ => finding,
        };
    };
    let shown = quoted(&file.display().to_string());
    // The key itself holds a login, which stands in no command line.
    let has_secret = value.key.contains('@');
    let command = match (one_of_several(machine, value), line) {
        (Ok((option, which)), _) if !has_secret => {
            let (verb, new) = match new {
                Some(new) => ("--replace-all", format!(" {}", quoted(new))),
                None => ("--unset-all", String::new()),
            };
            let key = quoted(&value.key);
            format!("git config --file {shown} {option}{verb} {key}{new}{which}")
        }
        (_, Some(line)) => format!("\"${{EDITOR:-vi}}\" +{line} {shown}"),
        (_, None) => format!("\"${{EDITOR:-vi}}\" {shown}"),
    };
    let finding = finding.run(command);
    // What a repository says is everybody's who works in it.
    if !is_homes(machine, file) || value.is_local {
        return finding;
    }
    match (has_secret, line) {
        (true, Some(line)) => {
            finding.change(Change::Line { file: file.clone(), line: *line, text: None })
        }
        (true, None) => finding,
        (false, _) => finding.change(Change::GitConfig {
            file: file.clone(),
            key: value.key.clone(),
            line: line.filter(|_| is_one_of_several(&value.key)),
            value: new.map(str::to_owned),
        }),
    }
}

/// Returns what tells `git config` which value is meant, before its verb and at its end: nothing, where a key has one
/// that counts. `Err`: the value may be secret, and stands in no command line.
fn one_of_several(machine: &Machine, value: &GitValue) -> Result<(&'static str, String), ()> {
    /// The first git with `--fixed-value`.
    const SINCE: (u32, u32) = (2, 30);
    if !is_one_of_several(&value.key) {
        return Ok(("", String::new()));
    }
    let text = value.value.raw();
    let is_shown = match value.key.rsplit('.').next() {
        Some("helper") => value.value.helper() == text,
        Some("extraheader") => false,
        _ => value.value.to_string() == text,
    };
    if !is_shown {
        return Err(());
    }
    if machine.git.as_ref().and_then(Program::numbers).is_some_and(|git| git >= SINCE) {
        return Ok(("--fixed-value ", format!(" {}", quoted(text))));
    }
    // Before, the value is a regular expression (regex(7)).
    let mut pattern = String::from("^");
    for c in text.chars() {
        if r"\.^$*+?()[]{}|".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('$');
    Ok(("", format!(" {}", quoted(&pattern))))
}

/// Returns whether all values of a key count for git, and not the last one alone.
fn is_one_of_several(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or_default();
    matches!(name, "helper" | "insteadof" | "pushinsteadof" | "extraheader" | "curloptresolve")
}

/// Returns whether a file is the user's to change: below the home folder, and no repository's own.
pub(super) fn is_own(facts: &Facts<'_>, file: &Path) -> bool {
    is_homes(facts.machine, file)
}

fn is_homes(machine: &Machine, file: &Path) -> bool {
    let home = machine.home.as_ref();
    home.is_some_and(|home| file.starts_with(home)) && file.iter().all(|part| part != ".git")
}

#[cfg(test)]
mod tests {
    use super::{Finding, GitValue, Machine, Place, Program, take_away};
    use crate::core::doctor::{catalogue::entry, private::Private};

    fn command(version: &str, file: &str, key: &str, value: &str) -> String {
        let git = Program { path: "/usr/bin/git".into(), version: version.to_owned() };
        let machine = Machine { git: Some(git), ..Machine::default() };
        let value = GitValue {
            key: key.to_owned(),
            value: Private::of(key, value),
            place: Place::File(file.into(), Some(3)),
            is_local: false,
        };
        take_away(&machine, Finding::new(entry("D11"), "x"), &value).fix.command
    }

    #[test]
    fn of_several_values_the_one_that_is_meant_is_taken_away() {
        const BAD: &str = "h.test:443:[::1],10.0.0.1";
        let old = r"git config --file /f --unset-all http.curloptresolve '^h\.test:443:\[::1\],10\.0\.0\.1$'";
        let new = "git config --file /f --fixed-value --unset-all http.curloptresolve 'h.test:443:[::1],10.0.0.1'";
        for (version, line) in [("2.47.3", new), ("2.30.0", new), ("2.29.2", old), ("", old)] {
            assert_eq!(command(version, "/f", "http.curloptresolve", BAD), line, "{version}");
        }
    }

    #[test]
    fn a_value_that_may_be_secret_stands_in_no_command() {
        for (key, value) in [
            ("http.extraheader", "Authorization: Basic hunter2"),
            ("credential.helper", "!echo password=hunter2"),
            ("url.https://h.test/.insteadof", "https://hunter2@h.test/"),
            ("url.https://hunter2@h.test/.insteadof", "https://h.test/"),
        ] {
            assert_eq!(command("2.47.3", "/f", key, value), "\"${EDITOR:-vi}\" +3 /f");
        }
        let one = command("2.47.3", "/f", "http.sslcainfo", "/gone");
        assert_eq!(one, "git config --file /f --unset-all http.sslcainfo");
    }
}
