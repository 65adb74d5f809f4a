//! What the helpers did that git asked for a login. It waits for ever for one that hangs.
//!
//! A program that is not there, or may not be run, is the checks' (G01, G02); GOAUTH's commands, which go runs before
//! anybody wants a login, are `judge::programs`'.

use super::answered;
use crate::core::doctor::{
    finding::{Finding, Kind, Tool},
    gitfile::Helper,
    judge::Case,
    leg::Leg,
    machine::GitValue,
    place::Place,
    plan::helper,
    probe::{Http, Probe, Ran, Seen},
};

/// What a login that is missing is called otherwise.
const MISSING: &[&str] = &["A01", "A03", "A14", "M04", "H21"];

/// Returns what a helper did wrong that git asked for a login before this 401.
pub(super) fn finding(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    if leg.tool != Tool::Git {
        return None;
    }
    helper::all(case.machine, &leg.asked.link).into_iter().find_map(|helper| {
        let ran = ran(&helper.probe, case)?;
        let place = helper.value.place.clone();
        let lines = || ran.output.raw().lines();
        let (code, does) = match ran.code {
            None => ("G05", "does not end within 5 s; git waits for ever"),
            Some(0) if lines().any(|line| matches!(line, "quit=1" | "quit=true")) => {
                ("G06", "says `quit`, so git asks nobody else")
            }
            Some(0) if lines().any(|line| !line.is_empty() && !line.contains('=')) => {
                ("G03", "prints something that is no `name=value`")
            }
            // Of a shell's line the checks do not know which program it names.
            Some(127) if is_line(helper.value) => ("G01", "names a program that is not there"),
            Some(126) if is_line(helper.value) => ("G02", "names a program that may not be run"),
            Some(0 | 126 | 127) => return None,
            // The checks say that it is not there (G01).
            Some(_) if ran.error.contains("is not a git command") => return None,
            Some(_) => ("G04", "fails"),
        };
        let reason = format!("the credential helper of {place} {does}.");
        Some(seen(answered(code, reason, leg, http), place, ran))
    })
}

fn is_line(value: &GitValue) -> bool {
    Helper::parse(value.value.raw()) == Helper::Shell
}

/// Returns how a program ended that could be started.
fn ran<'a>(probe: &Probe, case: &'a Case<'_>) -> Option<&'a Ran> {
    match case.answers.get(&probe.key()) {
        Some((_, Seen::Program(ran))) if ran.started => Some(ran),
        _ => None,
    }
}

/// Adds how a program ended.
fn seen(finding: Finding, place: Place, ran: &Ran) -> Finding {
    let observed = match ran.code {
        Some(code) => format!("it ended with {code} after {} ms", ran.took),
        None => format!("it was ended after {} ms", ran.took),
    };
    finding.seen(Kind::Program, place, observed, "a login within 5 s").explains(MISSING)
}
