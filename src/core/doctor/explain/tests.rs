//! What texts mean, with and without a machine.

use super::{
    about::About,
    explain,
    signs::{Kept, Signs},
};
use crate::core::doctor::{catalogue, finding::Finding, machine::Machine};

fn codes(text: &str) -> Vec<&'static str> {
    explain(text, &Signs::default()).candidates.iter().map(|it| it.entry.code).collect()
}

#[test]
fn what_this_machine_shows_counts_more() {
    let text = "go: m@v1.0.0: reading https://p.example/m/@v/v1.0.0.info: 403 Forbidden\n\tserver response: no";
    let plain = explain(text, &Signs::default());
    assert!(plain.candidates.iter().all(|it| it.entry.code != "E17"));
    let finding = Finding::new(catalogue::entry("E17"), "the pattern is bad");
    let kept = Kept { has_roots: true, ..Kept::default() };
    let signs = Signs::of(&About::of(text), &Machine::default(), &kept, vec![finding]);
    let known = explain(text, &signs);
    let first = known.candidates.first().unwrap();
    assert_eq!(first.entry.code, "E17");
    assert_eq!(first.here.as_ref().map(|it| it.cause.as_str()), Some("the pattern is bad"));
    assert_eq!(known.candidates.len(), 3);
    assert!(!known.same.is_empty());
}

#[test]
fn nothing_printed_is_a_tool_that_waits() {
    assert!(codes("").contains(&"N02"));
    assert_eq!(codes("go: downloading a.example/b v1.0.0\n^C\n").first(), Some(&"M13"));
    assert!(codes("all is well").is_empty());
}

#[test]
fn colours_and_repeated_lines_change_nothing() {
    let line = "\u{1b}[31mfatal:\u{1b}[0m could not read Username for 'https://h': terminal prompts disabled\r\n";
    assert_eq!(codes(line).first(), Some(&"A01"));
    assert_eq!(codes(&line.repeat(9000)).first(), Some(&"A01"));
}

#[test]
fn a_hostile_text_takes_bounded_time() {
    let start = std::time::Instant::now();
    for piece in ["Get \"", "reading https://", ": ", "git ls-remote : fatal: ", "\u{1b}[", "密"] {
        let text = piece.repeat((1 << 20) / piece.len());
        let numbered = text.split(' ').enumerate().map(|(at, it)| format!("{at}{it}"));
        let lines = numbered.collect::<Vec<_>>().join("\n");
        explain(&text, &Signs::default());
        explain(&lines, &Signs::default());
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
