//! The table of figures, and what is not as it should be.

#![expect(clippy::print_stdout, reason = "this prints the figures")]

use std::collections::BTreeSet;

use gocred::core::doctor::catalogue::ENTRIES;

use super::{case::Case, check::Outcome};

/// Prints what the cases came to.
#[expect(clippy::too_many_lines, reason = "a row each")]
pub(super) fn print(cases: &[Case], outcomes: &[Outcome], has_choice: bool) {
    for outcome in outcomes {
        if outcome.problems.is_empty() {
            if has_choice {
                let broken = if outcome.works == Some(false) { ", still fails" } else { "" };
                println!(
                    "ok   {} ({} of {} ms{broken})",
                    outcome.name, outcome.took, outcome.whole
                );
            }
            continue;
        }
        println!("FAIL {} ({} ms)", outcome.name, outcome.took);
        for problem in &outcome.problems {
            println!("     {problem}");
        }
    }
    let of = |kind: &'static str| {
        outcomes
            .iter()
            .filter(move |outcome| cases.get(outcome.index).is_some_and(|case| case.kind() == kind))
    };
    let injected: BTreeSet<_> = of("single")
        .filter(|outcome| outcome.is_injected)
        .map(|outcome| outcome.code.as_str())
        .collect();
    let [held_out, second, framed] = held_out(has_choice);
    let rows = [
        ("codes documented (en, zh)", ENTRIES.len().to_string()),
        ("codes injected for real", injected.len().to_string()),
        ("injections", of("single").count().to_string()),
        ("root cause named", share(of("single").map(|outcome| outcome.is_named))),
        ("pairs named", share(of("pairs").map(|outcome| outcome.is_named))),
        (
            "false alarms on healthy configurations",
            format!(
                "{} errors on {}",
                of("healthy").map(|outcome| outcome.alarms).sum::<usize>(),
                of("healthy").filter(|outcome| outcome.is_injected).count()
            ),
        ),
        (
            "\"healthy\" though a tool failed",
            outcomes.iter().filter(|outcome| outcome.is_missed).count().to_string(),
        ),
        ("time p50 / p95 / max", times(outcomes.iter().filter(|it| it.took > 0).map(|it| it.took))),
        (
            "a whole case, with its tools",
            times(outcomes.iter().filter(|it| it.whole > 0).map(|it| it.whole)),
        ),
        ("--offline, likewise", times(outcomes.iter().filter_map(|it| it.offline))),
        (
            "codes that --fix mends",
            of("single")
                .filter(|outcome| outcome.fixed == Some(true))
                .map(|outcome| outcome.code.as_str())
                .collect::<BTreeSet<_>>()
                .len()
                .to_string(),
        ),
        (
            "doctor, --fix, doctor clean, --undo identical",
            share(outcomes.iter().filter_map(|outcome| outcome.fixed)),
        ),
        (
            "works after --fix; of the rest the doctor names what is left",
            share(outcomes.iter().filter_map(|outcome| outcome.works)),
        ),
        (
            "explain -: the code among three",
            share(outcomes.iter().flat_map(|outcome| outcome.explained.iter().copied())),
        ),
        ("explain - of texts held out, codes not looked at, by the text alone", held_out),
        ("the same of a second set", second),
        ("those of the first in the frames of logs, mails and windows", framed),
        (
            "outputs with a secret in them",
            format!(
                "{} ({} canaries on one machine)",
                outcomes.iter().map(|outcome| outcome.leaks).sum::<usize>(),
                super::canaries::COUNT
            ),
        ),
    ];
    println!("\n| figure | measured |\n|---|---|");
    // What a choice of cases did not measure has no row.
    for (name, value) in rows.into_iter().filter(|(_, value)| !has_choice || value != "-") {
        assert_ne!(value, "-", "{name} was not measured");
        println!("| {name} | {value} |");
    }
}

/// Texts that nothing was tuned on, and in frames. It takes a few seconds, so that a choice of cases leaves it out.
fn held_out(has_choice: bool) -> [String; 3] {
    if has_choice {
        return std::array::from_fn(|_| "-".to_owned());
    }
    let (figures, _) = crate::pasted::measure();
    [figures.unseen.words(), figures.second.words(), figures.framed_words()]
}

/// `97.5 % of 120`
fn share(all: impl Iterator<Item = bool>) -> String {
    let (mut good, mut count) = (0_u32, 0_u32);
    for is_good in all {
        good += u32::from(is_good);
        count += 1;
    }
    if count == 0 {
        return "-".to_owned();
    }
    format!("{:.1} % of {count}", f64::from(good) * 100.0 / f64::from(count))
}

fn times(times: impl Iterator<Item = u64>) -> String {
    let mut times: Vec<u64> = times.collect();
    times.sort_unstable();
    let at = |percent: usize| {
        times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied()
    };
    let of = |percent| at(percent).unwrap_or(0);
    format!("{} / {} / {} ms", of(50), of(95), of(100))
}
