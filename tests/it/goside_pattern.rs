//! GOPRIVATE's globs, compared with Go's own `module.MatchPrefixPatterns`.

use gocred::core::pattern;

use crate::support::{
    home::Home,
    oracle::Oracle,
    random::{Random, cases},
};

/// Pieces of a glob: what has a meaning, what is unfinished, and a character of two bytes.
const GLOB: &[&str] = &[
    "a", "b", "corp", ".com", "é", "*", "**", "?", "[ab]", "[^a]", "[a-c]", "[a", "[]", "[-a]",
    "[a-]", r"[\]]", r"\*", r"\a", r"\", "/", "/", "[/]", ",", ",", " ",
];

/// Pieces of a module path.
const MODULE: &[&str] = &["a", "b", "ab", "corp", ".com", "é", "/", "/", "*", "]", " "];

fn questions(default: usize) -> Vec<(String, String)> {
    let mut random = Random::new();
    let mut text = |pieces: &[&'static str], most| {
        let length = random.below(most);
        (0..length).map(|_| random.of(pieces)).collect::<String>()
    };
    (0..cases(default)).map(|_| (text(GLOB, 10), text(MODULE, 8))).collect()
}

/// Asks Go, and returns its answers; each of the possible ones is among them.
fn answers(kind: &str, questions: &[(String, String)], possible: &[&str]) -> Option<Vec<String>> {
    let go = Oracle::new("rules")?;
    let line = |(glob, name): &(String, String)| format!("{kind}\u{1f}{glob}\u{1f}{name}\n");
    let lines: String = questions.iter().map(line).collect();
    let output = Home::new().run(go.program()).input(lines).output().success();
    let answers: Vec<String> = output.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), questions.len());
    for one in possible {
        let times = answers.iter().filter(|answer| answer == one).count();
        assert!(times * 200 > answers.len(), "only {times} times {one}");
    }
    Some(answers)
}

#[test]
fn patterns_match_what_they_match_in_go() {
    let questions = questions(20_000);
    let Some(answers) = answers("pattern", &questions, &["true", "false"]) else { return };
    for ((list, module), answer) in questions.iter().zip(answers) {
        assert_eq!(pattern::matches(list, module).to_string(), answer, "{list:?} {module:?}");
    }
}

#[test]
fn globs_match_and_fail_as_in_go() {
    let questions = questions(20_000);
    let possible = ["true", "false", "malformed"];
    let Some(answers) = answers("glob", &questions, &possible) else { return };
    for ((glob, name), answer) in questions.iter().zip(answers) {
        let ours = pattern::glob_matches(glob, name);
        let ours = ours.map_or_else(|_| "malformed".to_owned(), |matched| matched.to_string());
        assert_eq!(ours, answer, "{glob:?} {name:?}");
    }
}
