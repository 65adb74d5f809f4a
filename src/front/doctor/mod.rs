//! `gocred doctor`: why a fetch fails, and what mends it.

mod bundle;
mod egress;
pub mod explain;
mod fix;
mod json;
mod list;
mod look;
mod page;
pub mod portal;
mod progress;
pub mod route;
mod state;
mod style;
mod wallet;
pub mod why;
mod words;
pub mod wrap;

use std::path::Path;

use crate::{
    cli::Doctor,
    core::{
        doctor::{
            catalogue,
            finding::{Finding, Severity},
            target::Target,
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, ui},
    sys::{files, tty},
};
use look::{Diagnosis, configured, diagnose};
use progress::Progress;
use style::Style;

/// Runs the command.
pub fn run(arguments: &Doctor, context: &Context) -> Outcome {
    if arguments.list_checks {
        return Ok(list::run(context));
    }
    if arguments.undo {
        return fix::undo::run(context);
    }
    let target = target(arguments.target.as_deref())?;
    let only = only(&arguments.only)?;
    let progress = (tty::stderr_is_terminal() && !arguments.offline).then(Progress::start);
    let login = arguments.target.as_deref().and_then(look::login);
    let offline = arguments.offline;
    let mut found = diagnose(&target, login, offline, progress.as_ref(), &configured(context));
    drop(progress);
    if !only.is_empty() {
        look::keep_only(&mut found.report, &only);
    }
    let Diagnosis { report, machine, answers } = &found;
    if arguments.egress_list {
        for line in egress::lines(answers) {
            ui::out(&printable(&line));
        }
        return Ok(Answer::Yes);
    }
    if let Some(path) = &arguments.html {
        write(path, page::html(report).as_bytes())?;
    }
    if let Some(path) = &arguments.bundle {
        write(path, &bundle::archive(report, machine))?;
    }
    if arguments.json {
        json::print(report)?;
    } else {
        words::print(report, Style::of_output(context));
    }
    if arguments.fix {
        return fix::run(report, machine, arguments, context);
    }
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    let limit = if arguments.strict { Severity::Warning } else { Severity::Error };
    Ok(if worst.is_some_and(|worst| worst >= limit) { Answer::No } else { Answer::Yes })
}

/// Reads the word of the command line; without one, it is about the module here.
fn target(word: Option<&str>) -> Result<Target, Fault> {
    let Some(word) = word else { return Ok(Target::Here) };
    Target::parse(word).map_err(|error| {
        Fault::new(Kind::Usage, error.to_string())
            .hint("gocred doctor git.corp.example/team/lib@v1.2.3")
    })
}

/// Reads the codes of `--only`.
fn only(words: &[String]) -> Result<Vec<&'static str>, Fault> {
    let code = |word: &String| {
        catalogue::find(word).map(|entry| entry.code).ok_or_else(|| {
            let word = printable(word);
            Fault::new(Kind::Usage, format!("`{word}` is no code of a check"))
                .hint("gocred doctor --list-checks")
        })
    };
    words.iter().map(code).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    files::write_private(path, bytes).map_err(|error| {
        Fault::new(Kind::Config, format!("{} cannot be written", path.display())).cause(error)
    })
}

/// What is said of a command that failed, to standard error: the finding of a code that stood in its
/// output, or else the root of what it named. Nothing, where it named nobody: then no fetch failed.
fn after_failure(target: Option<&Target>, code: Option<&str>, context: &Context) {
    let entry = code.and_then(catalogue::find);
    let style = Style::of_errors(context);
    let progress = (target.is_some() && tty::stderr_is_terminal()).then(Progress::start);
    let found = target.map(|it| diagnose(it, None, false, progress.as_ref(), &configured(context)));
    drop(progress);
    let report = found.map(|found| found.report);
    if let Some(entry) = entry {
        // What gocred itself said at that moment is more than what is seen now.
        let same = report.iter().find_map(|report| find(&report.findings, entry.code));
        let finding = same
            .cloned()
            .unwrap_or_else(|| Finding::new(entry, entry.page(catalogue::Language::English).cause));
        for line in words::one(&finding, style) {
            ui::err(&line);
        }
        return;
    }
    for line in report.map(|report| words::short(&report, style)).unwrap_or_default() {
        ui::err(&line);
    }
}

fn find<'a>(findings: &'a [Finding], code: &str) -> Option<&'a Finding> {
    findings.iter().find_map(|finding| {
        if finding.entry.code == code { Some(finding) } else { find(&finding.consequences, code) }
    })
}
