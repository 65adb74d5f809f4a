//! Failures that are injected for real, and what the doctor says of each.
//!
//! The test runs inside `tests/lab/enter.sh` and starts workers: this test binary again, each in network,
//! mount and process namespaces of its own, with a farm ([`farm`]) of real servers around it. A worker runs
//! several cases side by side, because most of a case is waiting. `GOCRED_INJECT=E,T03,healthy` runs some
//! of the cases only, and shows all of them; README says more.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test fails by panicking, prints its figures, and starts the programs that it needs"
)]

mod canaries;
pub(crate) mod case;
mod cases;
mod check;
mod farm;
mod figures;
mod healthy;
mod one_way;
mod pairs;
mod run;

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use case::Case;
use check::Outcome;

use crate::support::lab::Lab;

/// How many workers run cases beside each other: one for each core of CI.
const WORKERS: usize = 2;
/// How many cases a worker runs side by side.
const SIDE_BY_SIDE: usize = 4;
/// How many more of those that wait for a time-out, which needs no core.
const WAITING: usize = 8;
/// How many cases get a second run. More of them are no accident.
const AGAIN: usize = 12;
/// The number of the first worker of a second run.
const SECOND: usize = 100_000;
/// Says which worker a process is: `KIND NUMBER FOLDER`.
const WORKER: &str = "GOCRED_INJECT_WORKER";
/// Which cases are run: codes, letters, `healthy`, `pairs`, `canaries`.
const CHOICE: &str = "GOCRED_INJECT";

/// Every case: those of single failures, of healthy machines, of pairs.
fn all() -> Vec<Case> {
    [cases::all(), healthy::cases(), pairs::cases(), canaries::cases()].concat()
}

/// Whether a case was chosen.
fn is_chosen(case: &Case, choice: Option<&str>) -> bool {
    let kind = case.kind();
    choice.is_none_or(|choice| {
        choice.split(',').any(|word| {
            if kind == "single" {
                case.code == word || (word.len() == 1 && case.code.starts_with(word))
            } else {
                kind == word
            }
        })
    })
}

#[test]
fn the_doctor_names_what_is_injected() {
    let Some(lab) = Lab::beside() else { return };
    let choice = std::env::var(CHOICE).ok();
    let folder = lab.join("inject");
    farm::prepare(&folder);
    let cases = all();
    let chosen: Vec<usize> = (0..cases.len())
        .filter(|index| cases.get(*index).is_some_and(|case| is_chosen(case, choice.as_deref())))
        .collect();
    let (alone, together): (Vec<usize>, Vec<usize>) =
        chosen.iter().partition(|index| cases.get(**index).is_some_and(|case| case.is_alone));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..WORKERS {
            let shard: Vec<usize> =
                together.iter().copied().skip(number).step_by(WORKERS).collect();
            let (results, folder) = (&results, &folder);
            scope.spawn(move || {
                results.lock().expect("results").extend(work(folder, number, &shard));
            });
        }
        for index in &alone {
            let outcomes = work(&folder, WORKERS + index, &[*index]);
            results.lock().expect("results").extend(outcomes);
        }
    });
    let mut outcomes = results.into_inner().expect("results");
    outcomes.sort_by_key(|outcome| outcome.index);
    again(&folder, &mut outcomes);
    figures::print(&cases, &outcomes, choice.is_some());
    let missing = chosen.len().saturating_sub(outcomes.len());
    let bad = outcomes.iter().filter(|outcome| !outcome.problems.is_empty()).count();
    assert!(
        missing == 0 && bad == 0,
        "{bad} cases are not as they should be, {missing} did not run"
    );
}

/// Runs a few cases that are not as they should be once more, each alone: limits of seconds mean little while
/// the rest of the suite has both cores. What is right then is right, and said to have taken two runs.
fn again(folder: &Path, outcomes: &mut [Outcome]) {
    let bad = outcomes.iter_mut().filter(|outcome| !outcome.problems.is_empty());
    for outcome in bad.take(AGAIN) {
        let second = work(folder, SECOND + outcome.index, &[outcome.index]);
        if let Some(second) = second.into_iter().find(|second| second.problems.is_empty()) {
            println!(
                "{} {}: right when it ran alone; before: {:?}",
                second.code, second.name, outcome.problems
            );
            *outcome = second;
        }
    }
}

/// Starts a worker for some cases, and returns what they came to.
fn work(folder: &Path, number: usize, cases: &[usize]) -> Vec<Outcome> {
    if cases.is_empty() {
        return Vec::new();
    }
    let own = folder.join(format!("worker-{number}"));
    fs::create_dir_all(&own).expect("a folder for a worker");
    let list: Vec<String> = cases.iter().map(usize::to_string).collect();
    let namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let status = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().expect("this program"))
        .args(["inject::a_worker_runs_its_cases", "--exact", "--nocapture"])
        .env(WORKER, format!("{number} {} {}", list.join(","), folder.display()))
        .stdin(Stdio::null())
        .stdout(fs::File::create(own.join("said")).expect("a log"))
        .stderr(fs::File::create(own.join("errors")).expect("a log"))
        .status()
        .expect("unshare");
    let results = fs::read_to_string(own.join("results")).unwrap_or_default();
    let outcomes: Vec<Outcome> =
        results.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if !status.success() || outcomes.len() < cases.len() {
        let said = fs::read_to_string(own.join("errors")).unwrap_or_default();
        let said = said + &fs::read_to_string(own.join("said")).unwrap_or_default();
        println!("worker {number}: {status}\n{said}");
    }
    outcomes
}

/// Returns the codes that are injected.
pub(crate) fn codes() -> std::collections::BTreeSet<String> {
    cases::all().into_iter().map(|case| case.code).collect()
}

/// A code without an injection says why in its page, and one with an injection says no such thing.
#[test]
fn every_code_is_injected_or_says_why_not() {
    let cases = cases::all();
    let mut wrong = Vec::new();
    for entry in gocred::core::doctor::catalogue::ENTRIES {
        let has_case = cases.iter().any(|case| case.code == entry.code);
        // A test elsewhere is named by its path.
        let is_named = !entry.test().starts_with("not injected: ");
        let is_here = entry.test() == entry.code;
        if is_here != has_case && (is_here || !is_named) {
            wrong.push(format!("{}: {}", entry.code, entry.test()));
        }
    }
    let unknown =
        cases.iter().filter(|case| gocred::core::doctor::catalogue::find(&case.code).is_none());
    wrong.extend(unknown.map(|case| format!("{}: there is no such code", case.code)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Does nothing by itself; the test above starts it in namespaces.
#[test]
fn a_worker_runs_its_cases() {
    let Ok(words) = std::env::var(WORKER) else { return };
    let mut words = words.splitn(3, ' ');
    let mut word = || words.next().expect("a word");
    let (number, list, folder) = (word(), word(), Path::new(word()));
    let own = folder.join(format!("worker-{number}"));
    let _farm = farm::start(folder, &own);
    let cases = all();
    let indices: Vec<usize> = list.split(',').map(|word| word.parse().expect("a number")).collect();
    let results = Mutex::new(fs::File::create(own.join("results")).expect("a file"));
    let run = |index: usize| {
        let outcome = one(index, cases.get(index).expect("a case"), &own);
        let line = serde_json::to_string(&outcome).expect("JSON");
        writeln!(results.lock().expect("results"), "{line}").expect("written");
    };
    let (waiting, others): (Vec<usize>, Vec<usize>) =
        indices.iter().partition(|index| cases.get(**index).is_some_and(Case::waits));
    // The longest first: what is mended is diagnosed four times.
    let mut waiting = waiting;
    waiting.sort_by_key(|index| !cases.get(*index).is_some_and(|case| case.is_fixed));
    thread::scope(|scope| {
        for (list, threads) in [(&waiting, WAITING), (&others, SIDE_BY_SIDE)] {
            let next = Arc::new(AtomicUsize::new(0));
            for _ in 0..threads {
                let (next, run) = (Arc::clone(&next), &run);
                scope.spawn(move || {
                    while let Some(index) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                        run(*index);
                    }
                });
            }
        }
    });
}

/// Runs one case; what panics in it is its problem and nobody else's.
fn one(index: usize, case: &Case, farm: &Path) -> Outcome {
    let start = Instant::now();
    let checked = std::panic::catch_unwind(|| check::check(index, case, farm));
    let mut outcome = checked.unwrap_or_else(|why| {
        let why = why.downcast_ref::<String>().cloned();
        let why = why.unwrap_or_else(|| "the test itself failed".to_owned());
        let (code, name) = (case.code.clone(), case.name());
        Outcome { index, code, name, problems: vec![why], ..Outcome::default() }
    });
    outcome.whole = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome
}
