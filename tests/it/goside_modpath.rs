//! The paths of the module proxy protocol, compared with Go's own code.

use gocred::core::modproxy::request::Request;

use crate::support::{
    home::Home,
    oracle::Oracle,
    random::{Random, cases},
};

/// Pieces of a module path: what has a meaning, what is refused, and a character of two bytes.
const PATH: &[&str] = &[
    "a",
    "b",
    "Pub",
    "Z",
    "corp",
    ".com",
    ".test",
    "/",
    "/",
    "/",
    "v2",
    "/v1",
    "-",
    "_",
    "~",
    "~1",
    "+",
    ".",
    "..",
    "!",
    "!a",
    "%",
    " ",
    "con",
    "é",
    "gopkg.in/x.v1",
    "@",
    "\\",
    "//",
    "A",
];

/// Pieces of a version: those of a release, of a query, and what no version has.
const VERSION: &[&str] = &[
    "v1",
    ".0.0",
    "-",
    "+incompatible",
    "RC1",
    "master",
    "a",
    "Z",
    "#",
    "$",
    "%",
    "&",
    "(",
    ")",
    ",",
    "=",
    "@",
    "[",
    "]",
    "^",
    "_",
    "{",
    "}",
    "~",
    " ",
    ".",
    "..",
    "!",
    "/",
    "?",
    ";",
    "é",
    "nul",
];

/// Go's answers: the path as go sends it, or `invalid`.
fn answers(questions: &[(String, String)]) -> Option<Vec<String>> {
    let go = Oracle::new("rules")?;
    let line = |(path, version): &(String, String)| format!("info\u{1f}{path}\u{1f}{version}\n");
    let lines: String = questions.iter().map(line).collect();
    let output = Home::new().run(go.program()).input(lines).output().success();
    let answers: Vec<String> = output.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

/// Returns a path as go sends it, whether go would send it or not.
fn sent(path: &str, version: &str) -> String {
    let mut sent = String::new();
    for c in format!("/{path}/@v/{version}.info").chars() {
        match c {
            'A'..='Z' => sent.extend(["%21", c.to_ascii_lowercase().to_string().as_str()]),
            'a'..='z'
            | '0'..='9'
            | '-'
            | '.'
            | '_'
            | '~'
            | '/'
            | '$'
            | '&'
            | '+'
            | '='
            | ':'
            | '@' => {
                sent.push(c);
            }
            c => sent.extend(c.to_string().bytes().map(|byte| format!("%{byte:02X}"))),
        }
    }
    sent
}

/// Returns whether only Go refuses it: a name that Windows keeps for itself, a suffix that is no major
/// version, a short name of old, a plus in a module path.
fn is_wider(path: &str, version: &str) -> bool {
    let is_kept = |element: &str| {
        let name = element.split('.').next().unwrap_or_default();
        name.eq_ignore_ascii_case("con") || name.eq_ignore_ascii_case("nul")
    };
    path.contains(['+', '~'])
        || path.contains("gopkg.in")
        || path.split('/').chain([version]).any(is_kept)
        || path.rsplit('/').next().is_some_and(|last| last.starts_with('v'))
}

#[test]
fn what_go_sends_is_read_and_sent_on_byte_for_byte() {
    let mut random = Random::new();
    let mut text = |pieces: &[&'static str], most| {
        let length = 1 + random.below(most);
        (0..length).map(|_| random.of(pieces)).collect::<String>()
    };
    let mut question = || {
        let path = text(PATH, 6);
        // Most paths need a dot to be one.
        let path = if text(&["x", "y"], 1) == "x" { format!("h.test/{path}") } else { path };
        (path, text(VERSION, 3))
    };
    let questions: Vec<_> = (0..cases(20_000)).map(|_| question()).collect();
    let Some(answers) = answers(&questions) else { return };
    let (mut good, mut bad) = (0, 0);
    for ((path, version), answer) in questions.iter().zip(&answers) {
        if answer == "invalid" {
            // With `!` in it, what is sent is the escaped form of another one.
            let ours = Request::parse(&sent(path, version));
            let is_it = |ours: Request| ours.to_string() == format!("{path}@{version}");
            let is_taken = ours.is_ok_and(is_it);
            assert!(!is_taken || is_wider(path, version), "{path:?} {version:?}");
            bad += 1;
        } else {
            let ours = Request::parse(answer);
            let ours = ours.unwrap_or_else(|error| panic!("{path:?} {version:?}: {error}"));
            assert_eq!(&ours.path(), answer, "{path:?} {version:?}");
            assert_eq!(ours.to_string(), format!("{path}@{version}"));
            good += 1;
        }
    }
    assert!(good * 20 > questions.len() && bad * 20 > questions.len(), "{good} {bad}");
}
