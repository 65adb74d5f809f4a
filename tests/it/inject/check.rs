//! What a case came to: do the real tools do as said, does the doctor name it, is nothing leaked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    case::{CANARY, Case, Fate, Target, Tool},
    run::{Ended, Stage, limit_of},
};

/// The longest that a diagnosis may take.
const LONGEST: Duration = Duration::from_secs(15);
/// How much of a tool's words is kept for the report.
const WORDS: usize = 400;

/// What a case came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) index: usize,
    pub(crate) code: String,
    pub(crate) name: String,
    /// What is not as it should be, a line each.
    pub(crate) problems: Vec<String>,
    /// The code that the doctor named.
    pub(crate) root: Option<String>,
    pub(crate) is_named: bool,
    /// Whether the tools did what the case says: otherwise nothing was injected.
    pub(crate) is_injected: bool,
    /// Whether the doctor said that all is well, though a tool failed.
    pub(crate) is_missed: bool,
    /// Findings of severity error where nothing is wrong.
    pub(crate) alarms: usize,
    /// How long the doctor took, in milliseconds.
    pub(crate) took: u64,
    /// How long the whole case took, with its tools and all.
    pub(crate) whole: u64,
    /// How long it took without sending a packet, where that was measured.
    pub(crate) offline: Option<u64>,
    /// Outputs of the doctor that held a secret.
    pub(crate) leaks: usize,
    /// Whether the tools succeed after `--fix`: where more is wrong than can be mended, they do not.
    pub(crate) works: Option<bool>,
    /// Whether doctor, `--fix`, doctor, `--undo` went round.
    pub(crate) fixed: Option<bool>,
    /// Whether `explain -` named the code among three, for each tool that failed and said why.
    pub(crate) explained: Vec<bool>,
}

/// A finding of the doctor's JSON.
struct Found {
    code: String,
    is_root: bool,
    is_error: bool,
    is_consequence: bool,
    /// Where its observations were made.
    places: Vec<String>,
}

/// Runs a case on a farm.
pub(crate) fn check(index: usize, case: &Case, farm: &Path) -> Outcome {
    let mut stage = Stage::new(case, farm);
    let mut outcome =
        Outcome { index, code: case.code.clone(), name: case.name(), ..Outcome::default() };
    if case.is_canary {
        outcome.is_injected = true;
        super::canaries::look(case, &mut stage, &mut outcome);
        return outcome;
    }
    let tools = tools(case, &mut stage, &mut outcome);
    let before = case.is_fixed.then(|| stage.snapshot());
    let ended = stage.doctor(case, &["--json"]);
    outcome.took = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    if ended.took > LONGEST {
        outcome.problems.push(format!("the doctor took {:?}", ended.took));
    }
    leaks(&ended, &mut outcome);
    let found = findings(&ended, &mut outcome);
    compare(case, &ended, &found, &mut outcome);
    if !case.code.is_empty() {
        explain(case, &tools, &mut stage, &mut outcome);
    }
    // What a person reads comes from the same findings; every fourth case looks at it, too.
    if index.is_multiple_of(4) {
        let ended = stage.doctor(case, &[]);
        leaks(&ended, &mut outcome);
        let ended = stage.doctor(case, &["--offline", "--json"]);
        leaks(&ended, &mut outcome);
        outcome.offline = Some(u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX));
    }
    if let Some(before) = before.filter(|_| outcome.is_named) {
        round(case, &before, &mut stage, &mut outcome);
    }
    outcome
}

/// Runs the tools of a case, and says which did not do as it says.
fn tools(case: &Case, stage: &mut Stage, outcome: &mut Outcome) -> Vec<(Tool, Ended)> {
    outcome.is_injected = true;
    let mut tools = Vec::new();
    for (tool, fate) in fates(case) {
        let ended = stage.tool(tool, case, limit_of(fate));
        let is_right = match fate {
            Fate::Fails => ended.code.is_some_and(|code| code != 0),
            Fate::Hangs => ended.code != Some(0),
            Fate::Succeeds => ended.code == Some(0),
        };
        if !is_right {
            outcome.is_injected = false;
            outcome.problems.push(format!(
                "{tool:?} should have: {fate:?}; code {:?}{}, {}",
                ended.code,
                if ended.is_killed { " (killed)" } else { "" },
                words(&format!("{} {}", ended.out, ended.err)),
            ));
        }
        tools.push((tool, ended));
    }
    tools
}

/// Which tools a case runs, and what becomes of them: where it does not say, its target's tool fails.
fn fates(case: &Case) -> BTreeMap<Tool, Fate> {
    if !case.fates.is_empty() {
        return case.fates.iter().copied().collect();
    }
    let fate = if case.code.is_empty() { Fate::Succeeds } else { Fate::Fails };
    let tool = if matches!(case.target, Target::Url(_)) { Tool::Git } else { Tool::Go };
    BTreeMap::from([(tool, fate)])
}

/// Compares what the doctor says with what the case says.
fn compare(case: &Case, ended: &Ended, found: &[Found], outcome: &mut Outcome) {
    let root = found.iter().find(|found| found.is_root).or_else(|| {
        // Where nothing fails there is no root; what is to be mended is named all the same.
        let is_quiet = found.iter().all(|found| !found.is_error);
        found.iter().find(|found| is_quiet && found.code == case.code)
    });
    outcome.root = root.map(|root| root.code.clone());
    let errors = found.iter().filter(|found| found.is_error && !found.is_consequence);
    if case.code.is_empty() {
        let alarms: Vec<_> = errors.map(|found| found.code.as_str()).collect();
        outcome.alarms = alarms.len();
        outcome.is_named = alarms.is_empty();
        if !alarms.is_empty() {
            outcome.problems.push(format!("a false alarm: {}", alarms.join(" ")));
        }
    } else {
        let is_it = |code: &String| *code == case.code || case.either.contains(code);
        outcome.is_named = outcome.root.as_ref().is_some_and(is_it);
        if !outcome.is_named {
            let all: Vec<_> = found.iter().map(|found| found.code.as_str()).collect();
            outcome.problems.push(format!(
                "the root is {}, of: {}; {}",
                outcome.root.as_deref().unwrap_or("nothing"),
                all.join(" "),
                words(&ended.err)
            ));
        }
        let beside: Vec<_> = errors
            .map(|found| found.code.as_str())
            .filter(|code| {
                let code = (*code).to_owned();
                !is_it(&code) && !case.also.contains(&code) && !case.must.contains(&code)
            })
            .collect();
        if outcome.is_named && !beside.is_empty() {
            outcome.problems.push(format!("also an error: {}", beside.join(" ")));
        }
        for place in &case.says {
            let places = root.map(|root| root.places.as_slice()).unwrap_or_default();
            if outcome.is_named && !places.iter().any(|own| own.ends_with(place)) {
                outcome.is_named = false;
                outcome.problems.push(format!("{place} is not named, but {places:?}"));
            }
        }
        for code in &case.must {
            if !found.iter().any(|found| found.code == *code) {
                outcome.is_named = false;
                outcome.problems.push(format!("{code} is not named"));
            }
        }
    }
    let fails = case.fates.iter().any(|(_, fate)| *fate != Fate::Succeeds);
    let fails = fails || (case.fates.is_empty() && !case.code.is_empty());
    let exit = case.exit.unwrap_or_else(|| i32::from(fails));
    if ended.code != Some(exit) {
        outcome.is_missed = fails && ended.code == Some(0);
        outcome.problems.push(format!("exit code {:?}, not {exit}", ended.code));
    }
}

/// Reads the findings of `doctor --json`, consequences too.
fn findings(ended: &Ended, outcome: &mut Outcome) -> Vec<Found> {
    let Ok(report) = serde_json::from_str::<Value>(&ended.out) else {
        outcome
            .problems
            .push(format!("no JSON: {}", words(&format!("{} {}", ended.out, ended.err))));
        return Vec::new();
    };
    if report.get("schema").and_then(Value::as_u64) != Some(1) {
        outcome.problems.push("the JSON names no schema 1".to_owned());
    }
    let mut found = Vec::new();
    let mut follows = Vec::new();
    for finding in report.get("findings").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        found.push(Found {
            code: text("code"),
            is_root: finding.get("root").and_then(Value::as_bool).unwrap_or(false),
            is_error: text("severity") == "error",
            is_consequence: false,
            places: places(finding),
        });
        let codes = finding.get("consequences").and_then(Value::as_array).into_iter().flatten();
        follows.extend(codes.filter_map(Value::as_str).map(str::to_owned));
    }
    for found in found.iter_mut().filter(|found| !found.is_root) {
        found.is_consequence = follows.contains(&found.code);
    }
    found
}

/// Returns where the observations of a finding were made.
fn places(finding: &Value) -> Vec<String> {
    let evidence = finding.get("evidence").and_then(Value::as_array).into_iter().flatten();
    let places = evidence.filter_map(|seen| seen.get("where").and_then(Value::as_str));
    places.map(str::to_owned).collect()
}

/// Asks `explain -` with what each tool that failed said.
fn explain(case: &Case, tools: &[(Tool, Ended)], stage: &mut Stage, outcome: &mut Outcome) {
    for (tool, ended) in tools {
        // Only what a person would paste: a failure in words.
        if ended.code.is_none_or(|code| code == 0) || ended.err.trim().is_empty() {
            continue;
        }
        let answer = stage.gocred(&["explain", "-"], Some(&ended.err));
        leaks(&answer, outcome);
        let named = candidates(&answer.out);
        // Of two faults a tool prints the one that it meets first.
        let is_it = named.iter().any(|code| *code == case.code || case.must.contains(code));
        outcome.explained.push(is_it);
        if !is_it && std::env::var_os("GOCRED_INJECT_EXPLAIN").is_some() {
            let line = format!("explain of {tool:?}: {}; {}", named.join(" "), words(&ended.err));
            outcome.problems.push(line);
        }
    }
}

/// The codes that an answer of `explain -` names as likeliest: each begins a line. A page may name others.
fn candidates(answer: &str) -> Vec<String> {
    let codes = answer.lines().filter_map(|line| line.get(..5)?.strip_suffix("  "));
    codes.filter(|code| code.trim() == *code).map(str::to_owned).collect()
}

/// doctor, `--fix`, doctor is clean of the code, `--undo`, every byte is as it was.
fn round(
    case: &Case,
    before: &BTreeMap<std::path::PathBuf, (u32, Vec<u8>)>,
    stage: &mut Stage,
    outcome: &mut Outcome,
) {
    let fix = stage.doctor(case, &["--fix", "--yes"]);
    leaks(&fix, outcome);
    let mut problems = Vec::new();
    let again = stage.doctor(case, &["--json"]);
    leaks(&again, outcome);
    let left = findings(&again, outcome);
    if again.out.trim().is_empty() || left.iter().any(|found| found.code == case.code) {
        problems.push(format!("--fix left it: {}", words(&format!("{} {}", fix.out, fix.err))));
    }
    let undo = stage.gocred(&["doctor", "--undo"], None);
    leaks(&undo, outcome);
    let after = stage.snapshot();
    let paths =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path));
    for path in paths {
        problems.push(format!("--undo left {}", path.display()));
    }
    problems.dedup();
    outcome.fixed = Some(problems.is_empty());
    // What the doctor said after `--fix` is what the tools have to do then.
    let works = works(case, stage);
    outcome.works = Some(works);
    match (again.code, works) {
        (Some(0), false) => {
            outcome.is_missed = true;
            problems.push("\"healthy\" after --fix, and a tool fails".to_owned());
        }
        (Some(0), true) | (Some(1), false) => {}
        (code, _) => problems.push(format!("after --fix the tools succeed; doctor: {code:?}")),
    }
    outcome.problems.extend(problems);
}

/// Whether the tools succeed once all is mended again. It was undone before, because the tools write files, too.
fn works(case: &Case, stage: &mut Stage) -> bool {
    let _ = stage.doctor(case, &["--fix", "--yes"]);
    fates(case)
        .into_iter()
        .all(|(tool, fate)| stage.tool(tool, case, limit_of(fate)).code == Some(0))
}

/// Looks for a secret in what the doctor printed: as it is, in Base64, percent-encoded.
pub(crate) fn leaks(ended: &Ended, outcome: &mut Outcome) {
    leak(&format!("{}{}", ended.out, ended.err), outcome);
}

/// The same of a text.
pub(crate) fn leak(text: &str, outcome: &mut Outcome) {
    let encoder = base64::engine::general_purpose::STANDARD_NO_PAD;
    let forms = ["", "x", "xx"].map(|before| {
        let whole = encoder.encode(format!("{before}{CANARY}"));
        // Leaves out the letters that depend on what is around it.
        let start = if before.is_empty() { 0 } else { before.len() + 1 };
        whole.chars().skip(start).take(8).collect::<String>()
    });
    let reversed: String = CANARY.chars().rev().collect();
    let escaped = CANARY.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    let is_there = |form: &str| text.contains(form);
    let found = [CANARY, &reversed, &escaped].into_iter().chain(forms.iter().map(String::as_str));
    if let Some(form) = found.into_iter().find(|form| is_there(form)) {
        outcome.leaks += 1;
        let line = text.lines().find(|line| line.contains(form)).unwrap_or(form);
        let start = line.find(form).unwrap_or(0).saturating_sub(80);
        let around: String = line.chars().skip(start).take(200).collect();
        let others: BTreeSet<&str> =
            text.match_indices(CANARY).filter_map(|(at, _)| text.get(at..at + 14)).collect();
        outcome.problems.push(format!("a secret is printed: {around} (all: {others:?})"));
    }
}

/// The beginning of what a program said, on one line.
fn words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(WORDS).collect()
}
