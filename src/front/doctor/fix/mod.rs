//! `gocred doctor --fix` and `--undo`: makes the changes that findings name, each shown first and written down
//! before it is made, and takes them back byte for byte.
//!
//! It keeps no copy of a file (`core::doctor::mend`), writes no password, and runs nothing but what a finding
//! names as data.

mod guard;
mod make;
mod plan;
mod record;
mod seen;
pub(super) mod undo;

use std::path::Path;

use crate::{
    cli::Doctor,
    core::{
        doctor::{
            finding::{Finding, Report, Severity},
            machine::Machine,
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        login::prompt::{self, Consent},
        ui,
    },
};
use plan::{Offer, Plan, Task, What};

/// Where it is said: standard output, unless that is for a program.
type Out = fn(&str);

/// What others may read or change while everything works: an open netrc, certificates that nobody checks, copies of
/// secrets that nobody keeps.
const DANGERS: &[&str] = &["A28", "E59", "K31"];

/// Makes what the findings of a report name. Exit 1: something is left that only a person can mend.
pub(super) fn run(
    report: &Report,
    machine: &Machine,
    arguments: &Doctor,
    context: &Context,
) -> Outcome {
    let mut all = Vec::new();
    collect(&report.findings, &mut all);
    let is_wanted = |it: &&Finding| !arguments.only.is_empty() || is_wanted(it, &all);
    let mut offers: Vec<Offer<'_>> = Vec::new();
    for finding in all.iter().copied().filter(is_wanted) {
        for change in &finding.fix.changes {
            if !offers.iter().any(|(_, known)| *known == change) {
                offers.push((finding.entry.code, change));
            }
        }
    }
    let plan = plan::plan(&offers, machine, context);
    let is_left = |code| plan.left.iter().any(|(own, _)| *own == code);
    let by_hand: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|it| it.severity > Severity::Info)
        .filter(|it| it.fix.changes.is_empty() || is_left(it.entry.code))
        .collect();
    let is_whole = by_hand.is_empty() && plan.left.is_empty();
    let out: Out = if arguments.json { ui::err } else { ui::out };
    say(&plan, &by_hand, out);
    let mut others: Vec<&str> = Vec::new();
    for finding in all.iter().copied().filter(|it| !is_wanted(it)) {
        if finding.severity == Severity::Warning && !finding.fix.changes.is_empty() {
            others.push(finding.entry.code);
        }
    }
    others.dedup();
    if let Some(first) = others.first() {
        let all = others.join(", ");
        out(&format!("left, because nothing fails by it: {all}; `--fix --only {first}` mends it"));
    }
    if plan.tasks.is_empty() {
        return Ok(if is_whole { Answer::Yes } else { Answer::No });
    }
    if arguments.dry_run {
        return Ok(Answer::Yes);
    }
    if !is_agreed(arguments, context)? {
        return Ok(Answer::No);
    }
    let is_done = make_all(&plan.tasks, out, context)?;
    Ok(if is_done && is_whole { Answer::Yes } else { Answer::No })
}

/// Whether a finding is mended without being named: something fails by it, or it is a danger of its own. A setting
/// that would explain a failure which is not there (`rank`) may be all that somebody's login consists of.
fn is_wanted(finding: &Finding, all: &[&Finding]) -> bool {
    let is_error = |it: &&&Finding| it.severity == Severity::Error;
    let mut errors = all.iter().filter(is_error);
    match finding.severity {
        Severity::Error => true,
        Severity::Warning if DANGERS.contains(&finding.entry.code) => true,
        // The same in another variable.
        Severity::Warning => errors.any(|it| it.entry.code == finding.entry.code),
        Severity::Info => false,
    }
}

/// Shows what is about to be done, what is left and why, and what only a person can do.
fn say(plan: &Plan, by_hand: &[&Finding], out: Out) {
    for line in plan.tasks.iter().flat_map(|task| &task.said) {
        out(line);
    }
    for (code, why) in &plan.left {
        out(&format!("{code}: {why}"));
    }
    if plan.tasks.is_empty() {
        out(match (plan.left.is_empty(), by_hand.is_empty()) {
            (true, true) => "nothing to mend",
            (false, true) => "nothing here can be mended by a program",
            (_, false) => "nothing here can be mended by a program; for you to do:",
        });
    }
    for Finding { entry, fix, .. } in by_hand {
        let what = if fix.command.is_empty() { &fix.text } else { &fix.command };
        out(&printable(&format!("{}: by hand: {what}", entry.code)));
    }
}

/// Asks, where that is wanted and somebody is there.
fn is_agreed(arguments: &Doctor, context: &Context) -> Result<bool, Fault> {
    if arguments.yes {
        return Ok(true);
    }
    if !prompt::is_attended(&context.env) {
        let fault = Fault::new(Kind::Usage, "nobody is there who could agree to the changes");
        return Err(fault.hint("gocred doctor --fix --yes"));
    }
    Ok(prompt::consent("Make these changes?")? == Consent::Given)
}

/// Does what was planned, and returns whether all of it was done.
fn make_all(tasks: &[Task], out: Out, context: &Context) -> Result<bool, Fault> {
    let file = record::file(context);
    let _lock = record::lock(&file)?;
    let mut record = record::load(&file)?;
    let (mut is_whole, mut is_made, mut is_startup) = (true, false, false);
    for Task { codes, what, .. } in tasks {
        match make::make(what, &file, &mut record, context)? {
            Ok(()) => {
                is_made = true;
                is_startup |=
                    matches!(what, What::Edit { file, .. } if sets_variables(file, context));
            }
            Err(why) => {
                is_whole = false;
                out(&printable(&format!("{}: not done: {why}", codes.join(", "))));
            }
        }
    }
    if is_made {
        out("done; `gocred doctor --undo` takes it back");
    }
    if is_startup {
        out("what runs already keeps its variables: open a new terminal, or log in anew");
    }
    Ok(is_whole)
}

/// Whether a file is read at login, or when a shell starts.
fn sets_variables(file: &Path, context: &Context) -> bool {
    let is_gos = context.paths.goenv.as_deref() == Some(file);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let ends = ["profile", "rc", "env", "login", "aliases", "environment", ".fish", ".conf"];
    !is_gos && ends.iter().any(|end| name.ends_with(end)) && !name.ends_with("netrc")
}

fn collect<'a>(findings: &'a [Finding], into: &mut Vec<&'a Finding>) {
    for finding in findings {
        into.push(finding);
        collect(&finding.consequences, into);
    }
}
