//! The report in words, on a terminal: the root with its evidence and the command that mends it, the ways
//! as they were gone, and what else was seen.

use std::fmt::Write as _;

use crate::{
    core::{
        doctor::finding::{Chain, Confidence, Finding, Hop, Report, Severity, State},
        text::printable,
    },
    front::{
        doctor::json::{layer_word, severity_word, tool_word},
        ui,
    },
};

/// Prints the report.
pub(super) fn print(report: &Report) {
    for line in lines(report) {
        ui::out(&line);
    }
}

/// Returns the report line by line, everything printable.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let Report { target, findings, chains } = report;
    let mut lines = Vec::new();
    for each in chains {
        lines.extend(way(each));
        lines.push(String::new());
    }
    let errors = findings.iter().filter(|it| it.severity == Severity::Error).count();
    if findings.is_empty() {
        lines.push(format!("{}: healthy", printable(target)));
    }
    for (index, finding) in findings.iter().enumerate() {
        if index > 0 {
            lines.push(String::new());
        }
        lines.extend(one(finding));
    }
    if errors == 0 && !findings.is_empty() {
        lines.push(String::new());
        lines.push(format!("{}: works; what is said above is worth mending", printable(target)));
    }
    lines
}

fn one(finding: &Finding) -> Vec<String> {
    let Finding { entry, severity, confidence, cause, evidence, fix, reproduce, .. } = finding;
    let mut lines =
        vec![format!("{}[{}]: {}", severity_word(*severity), entry.code, printable(entry.title))];
    lines.push(format!("  {}", printable(cause)));
    if *confidence != Confidence::Certain {
        lines.push("  (this is the likeliest explanation of what was seen)".to_owned());
    }
    for it in evidence {
        let mut line = format!("  seen: {}: {}", it.place, it.observed);
        if !it.expected.is_empty() {
            let _ = write!(line, "; expected: {}", it.expected);
        }
        if let Some(took) = it.took {
            let _ = write!(line, " ({took} ms)");
        }
        lines.push(printable(&line));
    }
    if !fix.text.is_empty() {
        lines.push(format!("  mend: {}", printable(&fix.text)));
    }
    if !fix.command.is_empty() {
        lines.push(format!("  run:  {}", printable(&fix.command)));
    }
    if !reproduce.is_empty() {
        lines.push(format!("  check without gocred: {}", printable(reproduce)));
    }
    let follows: Vec<_> = finding.consequences.iter().map(|it| it.entry.code).collect();
    if !follows.is_empty() {
        lines.push(format!("  what follows from it: {}", follows.join(", ")));
    }
    let layer = layer_word(entry.layer);
    lines.push(format!("  more: gocred explain {} ({layer})", entry.code));
    lines
}

/// Draws the way of a tool: a hop a line, and where it breaks.
fn way(chain: &Chain) -> Vec<String> {
    let Chain { tool, url, hops } = chain;
    let mut lines = vec![printable(&format!("{} → {url}", tool_word(*tool)))];
    let width = hops.iter().map(|hop| hop.name.chars().count()).max().unwrap_or_default();
    for Hop { name, stage, state, took, detail } in hops {
        let mark = match state {
            State::Passed => "✓",
            State::Failed => "✗",
            State::Skipped => "·",
        };
        let took = took.map(|took| format!("{took} ms")).unwrap_or_default();
        let line = format!("  {mark} {name:<width$}  {stage:<8} {took:>8}  {detail}");
        lines.push(printable(line.trim_end()));
    }
    lines
}
