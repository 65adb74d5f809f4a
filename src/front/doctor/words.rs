//! The report in words, on a terminal: the root with its evidence and the command that mends it, the way to
//! where it breaks, what else was seen, and a line that sums it up.

use crate::{
    core::{
        doctor::finding::{Chain, Confidence, Finding, Hop, Report, Severity, State},
        text::printable,
    },
    front::{
        doctor::{
            json::{layer_word, severity_word},
            style::{Hue, Style},
        },
        ui,
    },
};

/// Prints the report.
pub(super) fn print(report: &Report, style: Style) {
    for line in lines(report, style) {
        ui::out(&line);
    }
}

/// Returns the report line by line, everything printable.
pub(super) fn lines(report: &Report, style: Style) -> Vec<String> {
    let Report { findings, chains, .. } = report;
    let (roots, rest): (Vec<_>, Vec<_>) = findings
        .iter()
        .enumerate()
        .partition(|(index, it)| *index == 0 && it.severity == Severity::Error);
    let mut lines = Vec::new();
    for (_, root) in roots {
        lines.extend(one(root, style));
        lines.push(String::new());
    }
    for each in chains {
        lines.extend(way(each, style));
    }
    if !chains.is_empty() {
        lines.push(String::new());
    }
    for (_, finding) in rest {
        lines.extend(one(finding, style));
        lines.push(String::new());
    }
    lines.extend(sum(report, style));
    lines
}

/// Returns a finding.
pub(super) fn one(finding: &Finding, style: Style) -> Vec<String> {
    let Finding { entry, severity, confidence, cause, evidence, fix, reproduce, .. } = finding;
    let head = format!("{}[{}]: ", severity_word(*severity), entry.code);
    let hue = hue(*severity);
    let mut lines = style.set(&head, hue, &printable(entry.title), Some(Hue::Strong));
    lines.extend(style.set("  ", Hue::Faint, &printable(cause), None));
    let label = |label: &str| format!("  {label:<6} ");
    let mut said = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.extend(style.set(&label(name), Hue::Faint, &printable(text), None));
        }
    };
    for it in evidence {
        let took = it.took.map(|took| format!(" ({took} ms)")).unwrap_or_default();
        said("seen", &format!("{}: {}{took}", it.place, it.observed));
        if !it.expected.is_empty() {
            said("", &format!("expected: {}", it.expected));
        }
    }
    if *confidence != Confidence::Certain {
        said("sure?", "not quite: it is the likeliest explanation of what was seen");
    }
    said("mend", &fix.text);
    // A command stays on one line, however long: it is copied.
    let check = if *reproduce == fix.command { "" } else { reproduce };
    for (name, command, hue) in
        [("run", fix.command.as_str(), Hue::Strong), ("check", check, Hue::Faint)]
    {
        if !command.is_empty() {
            let head = style.paint(Hue::Faint, &label(name));
            lines.push(format!("{head}{}", style.paint(hue, &printable(command))));
        }
    }
    let mut said = |name: &str, text: &str| {
        lines.extend(style.set(&label(name), Hue::Faint, text, None));
    };
    let follows: Vec<_> = finding.consequences.iter().map(|it| it.entry.code).collect();
    if !follows.is_empty() {
        said("so", &format!("{} follows from it", follows.join(", ")));
    }
    said("more", &format!("gocred explain {} ({})", entry.code, layer_word(entry.layer)));
    lines
}

/// Returns the root alone, or where there is none, the sum.
pub(super) fn short(report: &Report, style: Style) -> Vec<String> {
    match report.findings.first().filter(|root| root.severity == Severity::Error) {
        Some(root) => one(root, style),
        None => sum(report, style),
    }
}

/// Draws the way of a tool: a hop a line where it breaks, and one line in all where it does not.
fn way(chain: &Chain, style: Style) -> Vec<String> {
    let Chain { tool, url, hops } = chain;
    let head = format!("{} → {url}", tool.name());
    if hops.iter().all(|hop| hop.state == State::Passed) && !hops.is_empty() {
        let took: u64 = hops.iter().filter_map(|hop| hop.took).sum();
        let mark = style.paint(Hue::Good, "✓");
        return vec![format!("{mark} {}", printable(&format!("{head} ({took} ms)")))];
    }
    let mut lines = style.set("", Hue::Faint, &printable(&head), Some(Hue::Strong));
    let width = hops.iter().map(|hop| hop.name.chars().count()).max().unwrap_or_default();
    let mut before = "";
    for Hop { name, stage, state, took, detail } in hops {
        let (mark, hue) = match state {
            State::Passed => ("✓", Hue::Good),
            State::Failed => ("✗", Hue::Bad),
            State::Skipped => ("·", Hue::Faint),
        };
        let took = took.map(|took| format!("{took} ms")).unwrap_or_default();
        let shown = if name == before { "" } else { name };
        let label = printable(&format!("  {mark} {shown:<width$}  {stage:<8} {took:>8}  "));
        before = name;
        lines.extend(style.set(&label, hue, printable(detail).trim_end(), None));
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Sums it up.
fn sum(report: &Report, style: Style) -> Vec<String> {
    let Report { run_id, target, findings, chains, .. } = report;
    let count = |severity| findings.iter().filter(|it| it.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let numbers = [(errors, "error"), (warnings, "warning"), (count(Severity::Info), "remark")];
    let numbers: Vec<_> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| ui::count(u64::try_from(*number).unwrap_or(u64::MAX), what))
        .collect();
    let (word, hue) = match (errors, warnings) {
        // Nobody can say more where no host was asked.
        (0, 0) if chains.is_empty() => ("files and settings are well", Hue::Good),
        (0, 0) => ("healthy", Hue::Good),
        (0, _) => ("works, and should be mended", Hue::Fair),
        _ => ("broken", Hue::Bad),
    };
    let numbers =
        if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
    let label = format!("{word}: ");
    style.set(&label, hue, &printable(&format!("{target}{numbers}, run {run_id}")), None)
}

fn hue(severity: Severity) -> Hue {
    match severity {
        Severity::Error => Hue::Bad,
        Severity::Warning => Hue::Fair,
        Severity::Info => Hue::Strong,
    }
}
