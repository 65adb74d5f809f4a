//! Which finding is the root: the one from which the others follow.
//!
//! A setting alone is often harmless: the checks report it as a warning that *would* explain a failure. Where that
//! failure is there, the warning is its cause, and becomes the error in its place (`promote`).

use std::cmp::Reverse;

use crate::core::doctor::finding::{Finding, Layer, Severity};

/// Orders findings, the root first, and folds what follows from another under it.
pub fn rank(mut findings: Vec<Finding>) -> Vec<Finding> {
    promote(&mut findings);
    findings.sort_by_key(order);
    let mut ranked: Vec<Finding> = Vec::new();
    let mut left = findings;
    // Who explains most others that nobody explains better comes first.
    while !left.is_empty() {
        let index = left
            .iter()
            .position(|finding| {
                !left.iter().any(|other| explains(other, finding) && !explains(finding, other))
            })
            .unwrap_or(0);
        let mut finding = left.remove(index);
        let (mut follows, rest): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|other| explains(&finding, other));
        // What follows from what follows, too.
        let (further, rest): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|other| follows.iter().any(|follow| explains(follow, other)));
        follows.extend(further);
        finding.consequences.extend(follows);
        left = rest;
        ranked.push(finding);
    }
    ranked.sort_by_key(order);
    ranked
}

/// A finding that explains an error which is there is an error itself. Of several that explain the same one, only
/// the best does.
fn promote(findings: &mut [Finding]) {
    let mut causes = Vec::new();
    for failure in findings.iter().filter(|finding| finding.severity == Severity::Error) {
        let explained = findings
            .iter()
            .any(|other| other.severity == Severity::Error && explains(other, failure));
        if explained {
            continue;
        }
        let may: Vec<(usize, &Finding)> = findings
            .iter()
            .enumerate()
            .filter(|(_, other)| other.severity < Severity::Error && explains(other, failure))
            .collect();
        let best = may.iter().min_by_key(|(_, other)| {
            // What follows from another one is not the beginning.
            let follows =
                may.iter().any(|(_, cause)| explains(cause, other) && !explains(other, cause));
            (
                follows,
                Reverse(other.severity),
                Reverse(other.confidence),
                other.entry.layer,
                other.entry.code,
            )
        });
        causes.extend(best.map(|(index, _)| *index));
    }
    for index in causes {
        if let Some(finding) = findings.get_mut(index) {
            finding.severity = Severity::Error;
        }
    }
}

/// Whether one finding follows from another: it is named there, and a tool suffers from both.
fn explains(cause: &Finding, other: &Finding) -> bool {
    cause.entry.code != other.entry.code
        && !other.stands
        && !other.apart.contains(cause.entry.code)
        && cause.suppresses.contains(other.entry.code)
        && (cause.affects.is_empty()
            || other.affects.is_empty()
            || !cause.affects.is_disjoint(&other.affects))
}

/// The order of the list: errors first, then what is certain, then what is bad by itself and not only where
/// something fails, then the lowest layer that explains.
fn order(finding: &Finding) -> (Reverse<Severity>, u8, bool, Layer, &'static str) {
    let is_guess =
        u8::from(finding.confidence == crate::core::doctor::finding::Confidence::Possible);
    let is_latent = finding.severity < Severity::Error && !finding.suppresses.is_empty();
    (Reverse(finding.severity), is_guess, is_latent, finding.entry.layer, finding.entry.code)
}

#[cfg(test)]
mod tests {
    use super::rank;
    use crate::core::doctor::{
        catalogue::entry,
        finding::{Finding, Severity, Tool},
    };

    fn finding(code: &'static str, severity: Severity, explains: &[&'static str]) -> Finding {
        Finding::new(entry(code), code).severity(severity).affects(&[Tool::Go]).explains(explains)
    }

    fn ranked(findings: Vec<Finding>) -> Vec<(&'static str, Severity, Vec<&'static str>)> {
        rank(findings)
            .into_iter()
            .map(|it| {
                let follows = it.consequences.iter().map(|follow| follow.entry.code).collect();
                (it.entry.code, it.severity, follows)
            })
            .collect()
    }

    #[test]
    fn a_setting_that_explains_a_failure_becomes_its_root() {
        let network = finding("N02", Severity::Error, &[]);
        let setting = finding("E28", Severity::Warning, &["N02"]);
        assert_eq!(ranked(vec![network, setting.clone()]), [("E28", Severity::Error, vec!["N02"])]);
        assert_eq!(ranked(vec![setting]), [("E28", Severity::Warning, vec![])]);
    }

    #[test]
    fn a_setting_of_another_tool_explains_nothing() {
        let network = finding("N02", Severity::Error, &[]);
        let mut setting = finding("E30", Severity::Warning, &["N02"]);
        setting.affects = [Tool::Git].into();
        let codes: Vec<_> =
            ranked(vec![setting, network]).into_iter().map(|(code, ..)| code).collect();
        assert_eq!(codes, ["N02", "E30"]);
    }

    #[test]
    fn a_setting_explains_nothing_that_is_seen_to_be_apart_from_it() {
        let mut failure = finding("A14", Severity::Error, &[]);
        failure.apart.insert("E08");
        let comma = finding("E08", Severity::Info, &["A14"]);
        let expected = [("A14", Severity::Error, vec![]), ("E08", Severity::Info, vec![])];
        assert_eq!(ranked(vec![comma, failure]), expected);
    }

    #[test]
    fn two_independent_faults_stay_two() {
        let ranked = ranked(vec![
            finding("M03", Severity::Error, &[]),
            finding("E46", Severity::Error, &[]),
        ]);
        assert_eq!(ranked, [("E46", Severity::Error, vec![]), ("M03", Severity::Error, vec![])]);
    }

    #[test]
    fn what_follows_from_what_follows_is_folded_too() {
        let ranked = ranked(vec![
            finding("H05", Severity::Error, &[]),
            finding("P24", Severity::Error, &["H05"]),
            finding("E30", Severity::Error, &["P24"]),
        ]);
        assert_eq!(ranked, [("E30", Severity::Error, vec!["P24", "H05"])]);
    }

    #[test]
    fn of_several_that_would_explain_it_one_is_promoted() {
        let ranked = ranked(vec![
            finding("N02", Severity::Error, &[]),
            finding("E36", Severity::Info, &["N02"]),
            finding("E28", Severity::Warning, &["N02"]),
        ]);
        let errors = ranked.iter().filter(|(_, severity, _)| *severity == Severity::Error).count();
        assert_eq!((ranked[0].0, errors), ("E28", 1));
    }

    #[test]
    fn two_that_explain_each_other_do_not_vanish() {
        let ranked = ranked(vec![
            finding("T17", Severity::Error, &["T18"]),
            finding("T18", Severity::Error, &["T17"]),
        ]);
        assert_eq!(ranked.len(), 1);
    }
}
