//! Programs that were run because a tool would run them: git's helpers (G03 to G06) and GOAUTH's commands
//! (A20 to A22). What they answered is never shown.

use crate::core::{
    doctor::{
        catalogue::entry,
        finding::{Evidence, Finding, Kind, Severity, Tool},
        judge::Case,
        leg::Leg,
        place::Place,
        plan::{goauth, helper},
        private::Private,
        probe::{Probe, Ran, Seen},
    },
    text,
};

/// So much of what a program says of its failure is repeated, in bytes.
const MOST: usize = 160;
/// What the shell says where there is no such program, or none that may run: the checks say it better.
const NOT_RUN: [Option<i32>; 2] = [Some(126), Some(127)];

/// Returns what the helpers show that were asked for a leg.
pub(super) fn helpers(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    if leg.tool != Tool::Git {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for helper in helper::all(case.machine, &leg.asked.link) {
        let Some(ran) = ran(case, &helper.probe) else { continue };
        let name = helper.value.value.to_string();
        let (code, cause) = match fault_of_helper(ran) {
            Some(fault) => fault,
            None => continue,
        };
        let finding =
            finding(code, format!("git's helper `{name}` {cause}"), ran, &helper.value.place)
                .affects(&leg.affects())
                .reproduce(format!(
                    "printf 'protocol=https\\nhost={}\\n\\n' | git credential fill",
                    leg.asked.link.origin.authority()
                ))
                .explains(&["A01", "A02", "A03", "A12", "G07"]);
        findings.push(finding);
    }
    findings
}

fn fault_of_helper(ran: &Ran) -> Option<(&'static str, String)> {
    if !ran.started || NOT_RUN.contains(&ran.code) || ran.error.contains("is not a git command") {
        return None;
    }
    let lines = || ran.output.raw().lines().filter(|line| !line.is_empty());
    if ran.code.is_none() {
        return Some(("G05", "does not come to an end: git waits for it for ever.".to_owned()));
    }
    if lines().any(|line| matches!(line, "quit=1" | "quit=true")) {
        return Some(("G06", format!("tells git to give up{}", said(ran))));
    }
    if ran.code != Some(0) {
        return Some(("G04", format!("fails{}", said(ran))));
    }
    if lines().any(|line| !line.contains('=')) {
        return Some((
            "G03",
            "prints lines that are no answer: git drops them, and what follows.".to_owned(),
        ));
    }
    None
}

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

fn ran<'a>(case: &Case<'a>, probe: &Probe) -> Option<&'a Ran> {
    match case.answers.get(&probe.key()) {
        Some((_, Seen::Program(ran))) => Some(ran),
        _ => None,
    }
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
