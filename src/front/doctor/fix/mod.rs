//! `gocred doctor --fix` and `--undo`: makes the changes that findings name, each shown first and written down
//! before it is made, and takes them back byte for byte.
//!
//! It keeps no copy of a file (`core::doctor::mend`), writes no password, and runs nothing but what a finding
//! names as data.

mod guard;
mod make;
mod plan;
mod record;
pub(super) mod undo;

use std::path::Path;

use crate::{
    cli::Doctor,
    core::{
        doctor::finding::{Finding, Report, Severity},
        fault::{Fault, Kind},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        login::prompt::{self, Consent},
        ui,
    },
};
use plan::{Offer, Plan, What};

/// Makes what the findings of a report name. Exit 1: something is left that only a person can mend.
pub(super) fn run(report: &Report, arguments: &Doctor, context: &Context) -> Outcome {
    let mut all = Vec::new();
    collect(&report.findings, &mut all);
    // A remark is about what works: it is changed only where somebody names it.
    let is_wanted = |it: &&Finding| it.severity > Severity::Info || !arguments.only.is_empty();
    let mut offers: Vec<Offer<'_>> = Vec::new();
    for finding in all.iter().copied().filter(is_wanted) {
        for change in &finding.fix.changes {
            if !offers.iter().any(|(_, known)| *known == change) {
                offers.push((finding.entry.code, change));
            }
        }
    }
    let Plan { tasks, left } = plan::plan(&offers, context);
    let by_hand: Vec<&Finding> =
        report.findings.iter().filter(is_wanted).filter(|it| it.fix.changes.is_empty()).collect();
    for line in tasks.iter().flat_map(|task| &task.said) {
        ui::out(line);
    }
    for (code, why) in &left {
        ui::out(&format!("{code}: {why}"));
    }
    if tasks.is_empty() {
        let is_clean = by_hand.is_empty() && left.is_empty();
        ui::out(match (is_clean, by_hand.is_empty()) {
            (true, _) => "nothing to mend",
            (false, true) => "nothing here can be mended by a program",
            (false, false) => "nothing here can be mended by a program; for you to do:",
        });
        say_by_hand(&by_hand);
        return Ok(if is_clean { Answer::Yes } else { Answer::No });
    }
    say_by_hand(&by_hand);
    if arguments.dry_run {
        return Ok(Answer::Yes);
    }
    if !arguments.yes {
        if !prompt::is_attended(&context.env) {
            let fault = Fault::new(Kind::Usage, "nobody is there who could agree to the changes");
            return Err(fault.hint("gocred doctor --fix --yes"));
        }
        if prompt::consent("Make these changes?")? == Consent::Refused {
            return Ok(Answer::No);
        }
    }
    let file = record::file(context);
    let _lock = record::lock(&file)?;
    let mut record = record::load(&file)?;
    let is_startup = tasks
        .iter()
        .any(|task| matches!(&task.what, What::Edit { file, .. } if sets_variables(file, context)));
    let (mut made, mut is_whole) = (false, by_hand.is_empty() && left.is_empty());
    for task in tasks {
        let codes = task.codes.join(", ");
        match make::make(task.what, &file, &mut record, context)? {
            Ok(()) => made = true,
            Err(why) => {
                is_whole = false;
                ui::out(&printable(&format!("{codes}: not done: {why}")));
            }
        }
    }
    if made {
        ui::out("done; `gocred doctor --undo` takes it back");
    }
    if made && is_startup {
        ui::out("what runs already keeps its variables: open a new terminal, or log in anew");
    }
    Ok(if is_whole { Answer::Yes } else { Answer::No })
}

/// Says what only a person can do, as a command where there is one.
fn say_by_hand(findings: &[&Finding]) {
    for Finding { entry, fix, .. } in findings {
        let what = if fix.command.is_empty() { &fix.text } else { &fix.command };
        ui::out(&printable(&format!("{}: by hand: {what}", entry.code)));
    }
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
