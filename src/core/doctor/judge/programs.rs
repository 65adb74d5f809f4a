//! GOAUTH's commands (A20 to A22), which go runs before its first request, whether anybody wants a login or not:
//! one that hangs stops go everywhere. Of programs that were asked after a 401 `a` speaks. What they answered is
//! never shown.

use crate::core::{
    doctor::{
        catalogue::entry,
        finding::{Evidence, Finding, Kind, Severity, Tool},
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
    let mut findings = Vec::new();
    for command in commands {
        let goauth::Command::Program(words) = command else { continue };
        let runs = case.answers.values().filter_map(|(probe, seen)| match (probe, seen) {
            (Probe::Program { command, .. }, Seen::Program(ran)) if command.starts_with(&words) => {
                Some(ran)
            }
            _ => None,
        });
        let name = text::printable(words.first().map_or("", String::as_str));
        for ran in runs {
            let (code, cause) = if !ran.started || NOT_RUN.contains(&ran.code) {
                continue;
            } else if ran.code.is_none() {
                ("A22", "does not come to an end: go waits for it for ever.".to_owned())
            } else if ran.code != Some(0) {
                ("A21", format!("fails, and go does not show it{}", said(ran)))
            } else if goauth::sets(ran.output.raw()).is_none() {
                (
                    "A20",
                    "prints something that go does not understand, and go does not say so."
                        .to_owned(),
                )
            } else {
                continue;
            };
            let severity = if code == "A22" { Severity::Error } else { Severity::Warning };
            let finding = finding(code, format!("GOAUTH's command `{name}` {cause}"), ran, &place)
                .severity(severity)
                .affects(&[Tool::Go])
                .reproduce("go env GOAUTH")
                .explains(&["A03", "A14", "A15", "A01", "M04"]);
            if !findings.iter().any(|other: &Finding| other.entry.code == code) {
                findings.push(finding);
            }
        }
    }
    findings
}

/// Returns what a program says of its failure, where it says anything.
fn said(ran: &Ran) -> String {
    let line = ran.error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let shown = Private::new(text::start(line.trim(), MOST)).to_string();
    if shown.is_empty() { ".".to_owned() } else { format!(": {}", text::printable(&shown)) }
}

fn finding(code: &'static str, cause: String, ran: &Ran, place: &Place) -> Finding {
    let observed = match ran.code {
        Some(code) => format!("exit code {code}"),
        None => "still running at the limit".to_owned(),
    };
    let mut finding = Finding::new(entry(code), cause);
    finding.evidence.push(Evidence {
        kind: Kind::Program,
        place: place.clone(),
        observed,
        expected: "exit code 0 and a credential, or nothing".to_owned(),
        took: Some(ran.took),
    });
    finding
}
