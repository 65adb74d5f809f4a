//! What the probes mean: findings, and the ways as they are drawn.
//!
//! One file a letter of the catalogue. Each looks at one leg at a time, and speaks only of the stage that is
//! its own: `d` of names and `n` of TCP where no proxy is dialled, `p` of everything up to the end of CONNECT
//! where one is, `t` of TLS to the origin, `h` of statuses and broken answers of Meta, Repository and Plain, `a`
//! of 401, 403 and masked 404 where a login plays a part, `g` of go-import and of what a repository answers with
//! 200, `m` of the module proxy's protocol, `s` of the checksum database. A letter that is not sure leaves a leg
//! to the others; where none speaks of a leg that failed, `nearest` does.

mod a;
mod chains;
mod d;
mod folder;
mod g;
mod h;
#[cfg(test)]
pub(super) mod hand;
mod m;
mod n;
mod nearest;
pub(super) mod negotiate;
mod own;
mod p;
mod packed;
mod programs;
mod s;
mod say;
mod sums;
mod t;
#[cfg(test)]
mod tests;

use crate::core::doctor::{
    finding::{Chain, Finding, Severity},
    leg::{Failed, Leg, Purpose},
    machine::Machine,
    plan::{self, Answers, Wallet},
    target::Target,
};

/// What a judge may look at beside a leg.
pub(super) struct Case<'a> {
    /// The machine.
    pub(super) machine: &'a Machine,
    /// What gocred itself would answer with.
    pub(super) wallet: &'a dyn Wallet,
    /// Every answer, also of programs that were run.
    pub(super) answers: &'a Answers,
    /// Every leg, in the order in which they were followed.
    pub(super) legs: &'a [Leg<'a>],
}

/// Returns what was found and the ways that were followed.
pub fn all(
    target: &Target,
    machine: &Machine,
    wallet: &dyn Wallet,
    answers: &Answers,
) -> (Vec<Finding>, Vec<Chain>) {
    let legs = plan::legs(target, machine, wallet, answers);
    let case = Case { machine, wallet, answers, legs: &legs };
    let mut findings = Vec::new();
    let mut is_fetched = false;
    for leg in case.legs.iter().filter(|leg| leg.decides) {
        // Where gocred itself answered, it has said why.
        if let Some(finding) = own::refusal(leg, &case) {
            merge(&mut findings, finding);
            continue;
        }
        let judges = [
            d::findings,
            n::findings,
            p::findings,
            t::findings,
            h::findings,
            a::findings,
            g::findings,
            m::findings,
            s::findings,
        ];
        let mut found: Vec<Finding> = judges.iter().flat_map(|judge| judge(leg, &case)).collect();
        found.extend(own::withheld(leg, &case));
        if found.is_empty() && !is_covered(leg, &case) {
            found.extend(nearest::finding(leg));
        }
        if leg.failed().is_some() {
            // A tool fails here: whatever it usually is, this is no hint. (Of a certificate that only others
            // refuse, the finding does not name this tool.)
            if found.iter().all(|finding| finding.severity < Severity::Error)
                && let Some(first) = found.first_mut()
                && (first.affects.is_empty() || first.affects.contains(&leg.tool))
            {
                first.severity = Severity::Error;
            }
        }
        let is_good = found.iter().all(|finding| finding.severity < Severity::Error);
        match leg.purpose {
            Purpose::Repository | Purpose::Ssh => is_fetched = is_good,
            Purpose::Pack => is_fetched &= is_good,
            // The repository can be fetched: what go or curl would meet at the same URL is a remark.
            Purpose::Plain if is_fetched => {
                for finding in &mut found {
                    finding.severity = finding.severity.min(Severity::Warning);
                }
            }
            _ => {}
        }
        for finding in found {
            merge(&mut findings, behind_the_comma(finding, leg, machine));
        }
    }
    for finding in programs::goauth(&case) {
        if findings.iter().all(|other| other.entry.code != finding.entry.code) {
            findings.push(finding);
        }
    }
    // Where nothing can be fetched, go.sum cannot be complete.
    if findings.iter().all(|finding| finding.severity < Severity::Error) {
        findings.extend(folder::findings(target, machine, case.legs));
    }
    (findings, chains::of(&legs))
}

/// Notes where another element of GOPROXY than the first was asked: the comma behind that one, of which E08 speaks,
/// kept go from nothing.
fn behind_the_comma(mut finding: Finding, leg: &Leg<'_>, machine: &Machine) -> Finding {
    let (elements, _) = plan::module::elements(machine);
    let is_first = |base: &crate::core::doctor::route::Link| matches!(elements.first(), Some((plan::module::Element::Proxy(own, _), _)) if own == base);
    if leg.purpose.is_module() && leg.base.as_ref().is_some_and(|base| !is_first(base)) {
        finding.apart.insert("E08");
    }
    finding
}

/// Whether an answer is git's to judge: the same request is a repository's.
fn is_covered(leg: &Leg<'_>, case: &Case<'_>) -> bool {
    let is_same = |other: &Leg<'_>| {
        other.purpose == Purpose::Repository && other.first_link() == leg.first_link()
    };
    leg.purpose == Purpose::Plain
        && matches!(leg.failed(), Some(Failed::Http(_)))
        && case.legs.iter().any(is_same)
}

/// Adds a finding, or what it affects to one that is the same: the same code at the same endpoint.
fn merge(findings: &mut Vec<Finding>, finding: Finding) {
    let place = |finding: &Finding| {
        finding.evidence.first().map(|evidence| endpoint(&evidence.place.to_string()))
    };
    let same = findings.iter_mut().find(|other| {
        other.entry.code == finding.entry.code
            && (place(other) == place(&finding) || other.cause == finding.cause)
    });
    match same {
        Some(same) => {
            same.severity = same.severity.max(finding.severity);
            same.affects.extend(finding.affects);
            same.suppresses.extend(finding.suppresses);
            same.apart.retain(|code| finding.apart.contains(code));
        }
        None => findings.push(finding),
    }
}

/// Returns the authority of a URL: two files of one server fail for one reason.
fn endpoint(place: &str) -> String {
    let rest = place.split_once("://").map_or(place, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}
