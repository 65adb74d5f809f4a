//! GOAUTH's commands (A20 to A22), which go runs before its first request, whether anybody wants a login or not:
//! one that hangs stops go everywhere; and again after a 401. git's helpers are `a`'s. What they answered is never
//! shown.

use crate::core::{
    doctor::{
        catalogue::entry,
        finding::{Finding, Kind, Severity, Tool},
        judge::Case,
        place::Place,
        plan::goauth,
        private::Private,
        probe::{Probe, Ran, Seen},
    },
    text,
};

/// So much of what a program says of its failure is repeated, in bytes.
const MOST: usize = 160;
/// What the shell says where there is no such program, or none that may run: the checks say it better.
const NOT_RUN: [Option<i32>; 2] = [Some(126), Some(127)];

/// Returns what GOAUTH's commands show, once for all legs.
pub(super) fn goauth(case: &Case<'_>) -> Vec<Finding> {
    let (commands, place) = goauth::commands(case.machine);
    let mut findings: Vec<Finding> = Vec::new();
    for command in commands {
        let goauth::Command::Program(words) = command else { continue };
        let name = Private::new(words.first().cloned().unwrap_or_default()).programs();
        let name = text::printable(&name);
        let runs = case.answers.values().filter_map(|(probe, seen)| match (probe, seen) {
            (Probe::Program { command, .. }, Seen::Program(ran)) if command.starts_with(&words) => {
                Some(ran)
            }
            _ => None,
        });
        for finding in runs.filter_map(|ran| finding(&name, ran, &place)) {
            if !findings.iter().any(|other| other.entry.code == finding.entry.code) {
                findings.push(finding);
            }
        }
    }
    findings
}

fn finding(name: &str, ran: &Ran, place: &Place) -> Option<Finding> {
    let (code, severity, fails) = match ran.code {
        _ if !ran.started || NOT_RUN.contains(&ran.code) => return None,
        None => {
            let fails = "does not come to an end: go waits for it for ever.".to_owned();
            ("A22", Severity::Error, fails)
        }
        Some(0) if goauth::sets(ran.output.raw()).is_some() => return None,
        Some(0) => {
            let fails = "prints something that go does not understand, and go does not say so.";
            ("A20", Severity::Warning, fails.to_owned())
        }
        Some(_) => {
            ("A21", Severity::Warning, format!("fails, and go does not show it{}", said(ran)))
        }
    };
    let observed = match ran.code {
        Some(code) => format!("exit code {code}"),
        None => "still running at the limit".to_owned(),
    };
    let expected = "exit code 0 and a credential, or nothing";
    let finding = Finding::new(entry(code), format!("GOAUTH's command `{name}` {fails}"))
        .severity(severity)
        .seen(Kind::Program, place.clone(), observed, expected)
        .took(ran.took)
        .affects(&[Tool::Go])
        .reproduce("go env GOAUTH")
        .explains(&["A03", "A14", "A15", "A01", "M04", "H21"]);
    Some(finding)
}

/// Returns what a program says of its failure, where it says anything.
fn said(ran: &Ran) -> String {
    let line = ran.error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let shown = Private::new(text::start(line.trim(), MOST)).to_string();
    if shown.is_empty() { ".".to_owned() } else { format!(": {}", text::printable(&shown)) }
}

#[cfg(test)]
mod tests {
    use super::goauth as judged;
    use crate::core::doctor::{
        judge::{Case, hand::Empty},
        machine::Machine,
        plan::{Answers, goauth},
        private::Private,
        probe::{Ran, Seen},
    };

    #[test]
    fn a_command_is_judged_once_whenever_it_was_run() {
        let mut machine = Machine::default();
        machine.variables.insert("GOAUTH".to_owned(), Private::new("corp-goauth"));
        let words = ["corp-goauth".to_owned()];
        let first = goauth::probe(&words, None, String::new());
        let again = goauth::probe(&words, Some("https://h.test".to_owned()), String::new());
        for (code, output, found) in [
            (None, "", &["A22"][..]),
            (Some(1), "", &["A21"]),
            (Some(0), "hello\n", &["A20"]),
            (Some(0), "", &[]),
            (Some(127), "", &[]),
        ] {
            let output = Private::new(output);
            let ran = Seen::Program(Ran { code, started: true, output, ..Ran::default() });
            let both = [&first, &again].map(|probe| (probe.key(), (probe.clone(), ran.clone())));
            let answers = Answers::from(both);
            let case = Case { machine: &machine, wallet: &Empty, answers: &answers, legs: &[] };
            let codes: Vec<_> = judged(&case).iter().map(|finding| finding.entry.code).collect();
            assert_eq!(codes, found, "{code:?}");
        }
    }
}
