//! What the articles name that this project answers, row by row: `tests/corpus/seeds.tsv`. Each row has codes of the
//! catalogue that are injected for real, or say why not; or the row itself says why it has none. Rules that are
//! written anew name the test that compares them with the tool.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and prints its table"
)]

use std::{collections::BTreeSet, fs, path::Path};

use gocred::core::doctor::catalogue;

use super::inject;

/// How many rows each of the five articles has.
const ROWS: [usize; 5] = [40, 26, 22, 25, 21];
/// How many of them give advice that is wrong.
const WRONG: usize = 12;
/// What a row can be.
const KINDS: &[&str] = &["detect", "explain", "emulate", "serve", "setup", "out", "wrong"];
/// The most words that a row is told in.
const WORDS: usize = 12;

struct Row<'a> {
    id: &'a str,
    kinds: Vec<&'a str>,
    named: &'a str,
    codes: Vec<String>,
    note: &'a str,
}

#[test]
fn every_row_has_its_code_or_says_why_it_has_none() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/seeds.tsv");
    let text = fs::read_to_string(file).expect("the table");
    let rows: Vec<Row<'_>> = text.lines().filter(|line| !line.starts_with('#')).map(row).collect();
    let ids: Vec<String> = ROWS
        .iter()
        .enumerate()
        .flat_map(|(article, count)| (1..=*count).map(move |row| format!("{}.{row}", article + 1)))
        .collect();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids, "the rows, in order");
    let is_wrong = |row: &&Row<'_>| row.kinds.contains(&"wrong");
    assert_eq!(rows.iter().filter(is_wrong).count(), WRONG, "wrong advice");
    let injected: BTreeSet<String> = inject::codes();
    let mut problems = Vec::new();
    for row in &rows {
        show(row);
        problems.extend(flaws(row, &injected).into_iter().map(|why| format!("{}: {why}", row.id)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn row(line: &str) -> Row<'_> {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[id, kinds, named, codes, note] = fields.as_slice() else { panic!("five fields: {line}") };
    let codes = codes.split(' ').filter(|word| *word != "-").flat_map(range).collect();
    Row { id, kinds: kinds.split(' ').collect(), named, codes, note }
}

/// `D01-D15`: all between that the catalogue has.
fn range(word: &str) -> Vec<String> {
    let Some((first, last)) = word.split_once('-') else { return vec![word.to_owned()] };
    let all = catalogue::ENTRIES.iter().map(|entry| entry.code);
    let found: Vec<String> =
        all.filter(|code| (first..=last).contains(code)).map(str::to_owned).collect();
    assert!(found.len() > 1, "{word} is no range");
    found
}

/// What is not as it should be with a row.
fn flaws(row: &Row<'_>, injected: &BTreeSet<String>) -> Vec<String> {
    let mut flaws = Vec::new();
    let has = |kind: &str| row.kinds.contains(&kind);
    if row.named.split_whitespace().count() > WORDS {
        flaws.push(format!("more than {WORDS} words"));
    }
    flaws.extend(
        row.kinds.iter().filter(|kind| !KINDS.contains(kind)).map(|it| format!("kind {it}")),
    );
    if row.codes.is_empty() && row.note.split_whitespace().count() < 3 {
        flaws.push("neither a code nor a reason".to_owned());
    }
    if row.codes.is_empty() && (has("explain") || has("emulate") || has("wrong")) {
        flaws.push("what is explained has a page".to_owned());
    }
    for code in &row.codes {
        match catalogue::find(code) {
            None => flaws.push(format!("{code} is not in the catalogue")),
            Some(entry) if !injected.contains(code) && !is_reasoned(entry.test()) => {
                flaws.push(format!("{code} is neither injected nor says why not"));
            }
            Some(_) => {}
        }
    }
    let tests: Vec<&str> = match row.note.strip_prefix("test ") {
        Some(tests) => tests.split(' ').collect(),
        None => Vec::new(),
    };
    if has("emulate") && tests.is_empty() {
        flaws.push("no test compares the rule with the tool".to_owned());
    }
    flaws.extend(
        tests.into_iter().filter(|test| !exists(test)).map(|test| format!("no test {test}")),
    );
    flaws
}

/// Whether a page gives a reason, or another test's path, in place of an injection.
fn is_reasoned(test: &str) -> bool {
    test.split_whitespace().count() > 2
}

/// Whether there is such a test: `doctor_route::go::NAME` in tests/it, `core::…::tests::NAME` in src.
fn exists(path: &str) -> bool {
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = module.trim_end_matches("::tests").replace("::", "/");
    let files = ["tests/it", "src"].map(|folder| root.join(folder).join(format!("{file}.rs")));
    let wanted = format!("#[test]fn{name}()");
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| {
        let bare: String = text.split_whitespace().collect();
        bare.contains(&wanted)
    })
}

/// Prints a row, with the titles of its codes.
fn show(row: &Row<'_>) {
    println!("{:5} {:24} {}", row.id, row.kinds.join(" "), row.named);
    for entry in row.codes.iter().filter_map(|code| catalogue::find(code)) {
        println!("{:31}{} {}", "", entry.code, entry.title);
    }
    if row.note != "-" {
        println!("{:31}{}", "", row.note);
    }
}
