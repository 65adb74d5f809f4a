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

#[test]
fn patterns_match_what_they_match_in_go() {
    let Some(go) = Oracle::new("rules") else { return };
    let mut random = Random::new();
    let mut text = |pieces: &[&'static str], most| {
        let length = random.below(most);
        (0..length).map(|_| random.of(pieces)).collect::<String>()
    };
    let questions: Vec<(String, String)> =
        (0..cases(20_000)).map(|_| (text(GLOB, 10), text(MODULE, 8))).collect();
    let lines =
        questions.iter().map(|(list, module)| format!("pattern\u{1f}{list}\u{1f}{module}\n"));
    let answers = Home::new().run(go.program()).input(lines.collect::<String>()).output().success();
    assert_eq!(answers.lines().count(), questions.len());
    let mut matched = 0;
    for ((list, module), answer) in questions.iter().zip(answers.lines()) {
        assert_eq!(pattern::matches(list, module).to_string(), answer, "{list:?} {module:?}");
        matched += usize::from(answer == "true");
    }
    assert!(matched * 50 > questions.len(), "only {matched} of the cases matched");
}
