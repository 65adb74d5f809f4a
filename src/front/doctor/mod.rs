//! `gocred doctor`: why a fetch fails, and what mends it.

mod bundle;
mod egress;
pub mod explain;
mod fix;
mod json;
mod list;
mod page;
pub mod portal;
pub mod route;
mod wallet;
pub mod why;
mod words;
pub mod wrap;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    cli::Doctor,
    core::{
        doctor::{
            checks,
            finding::{Report, Severity},
            judge,
            machine::Machine,
            plan::{self, Answers},
            rank,
            target::Target,
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, ui},
    net,
    sys::{self, files},
};

/// How long a diagnosis may take, whatever happens.
const LIMIT: Duration = Duration::from_secs(14);

/// Runs the command.
pub fn run(arguments: &Doctor, context: &Context) -> Outcome {
    if arguments.list_checks {
        return list::run(context);
    }
    if arguments.undo {
        return fix::take_back(context);
    }
    let target = match arguments.target.as_deref() {
        Some(word) => {
            Target::parse(word).map_err(|error| Fault::new(Kind::Usage, error.to_string()))?
        }
        None => Target::Here,
    };
    let found = diagnose(&target, arguments.offline, &configured(context));
    let Diagnosis { report, machine, answers } = &found;
    if arguments.egress_list {
        egress::lines(answers).iter().for_each(|line| ui::out(&printable(line)));
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
        words::print(report);
    }
    if arguments.fix {
        return fix::run(report, arguments, context);
    }
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    let limit = if arguments.strict { Severity::Warning } else { Severity::Error };
    Ok(if worst.is_some_and(|worst| worst >= limit) { Answer::No } else { Answer::Yes })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    files::write_private(path, bytes).map_err(|error| {
        Fault::new(Kind::Config, format!("{} cannot be written", path.display())).cause(error)
    })
}

/// What a diagnosis found, and what it is made from.
pub(super) struct Diagnosis {
    report: Report,
    machine: Machine,
    answers: Answers,
}

/// Returns the context with the configuration in it, or without where that cannot be read: the checks say so.
fn configured(context: &Context) -> Context {
    let config = super::config(&context.paths).unwrap_or_default();
    Context { config, ..context.clone() }
}

/// Follows the ways to a target.
fn diagnose(target: &Target, offline: bool, context: &Context) -> Diagnosis {
    let start = Instant::now();
    let machine = sys::doctor::read(target, &context.env, &context.paths);
    let wallet = wallet::Wallet::of(context);
    let mut findings = checks::all(target, &machine);
    let mut answers = Answers::new();
    let mut chains = Vec::new();
    if !offline {
        loop {
            let mut probes = plan::next(target, &machine, &wallet, &answers);
            probes.retain(|probe| !answers.contains_key(&probe.key()));
            let left = LIMIT.saturating_sub(start.elapsed());
            if probes.is_empty() || left.is_zero() {
                break;
            }
            let seen = net::doctor::answer(&probes, left);
            if seen.len() < probes.len() {
                break;
            }
            for (probe, seen) in probes.into_iter().zip(seen) {
                answers.insert(probe.key(), (probe, seen));
            }
        }
        let (found, ways) = judge::all(target, &machine, &wallet, &answers);
        findings.extend(found);
        chains = ways;
    }
    let target = match target {
        Target::Module { path, version: Some(version) } => format!("{path}@{version}"),
        Target::Module { path, version: None } => path.clone(),
        Target::Url(url) => url.clone(),
        Target::Here => "the modules of go.mod".to_owned(),
    };
    let report = Report { target, findings: rank::rank(findings), chains };
    Diagnosis { report, machine, answers }
}
