//! The functions of PAC, compared with pacparser at the same moments, in several zones.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use serde_json::{Value, json};

use crate::support::{
    home::{GOCRED, Home, Run},
    program,
};

/// A moment, in a zone: an autumn evening, two days that are another day in GMT, and a leap day.
const MOMENTS: [(&str, &str); 4] = [
    ("UTC", "2026-11-25 19:30:15"),
    ("America/New_York", "2026-11-25 19:30:15"),
    ("Asia/Kolkata", "2026-03-01 02:10:00"),
    ("Australia/Sydney", "2024-02-29 23:59:58"),
];

#[test]
fn every_function_answers_as_pacparser_does_or_differs_for_a_reason() {
    let Some(pactester) = program("pactester", "libpacparser1") else { return };
    let Some(faketime) = program("faketime", "faketime") else { return };
    let home = Home::new();
    let calls = calls();
    assert!(calls.len() > 300, "{}", calls.len());
    let script = script(&calls);
    let file = home.write("table.pac", &script);
    let (mut differ, mut compared) = (BTreeSet::new(), 0);
    for (zone, moment) in MOMENTS {
        let at = || home.run(&faketime).env("TZ", zone).args(["-f", moment]);
        let theirs = theirs(at().arg(&pactester), &file);
        let ours = ours(at().arg(GOCRED), &script);
        assert_eq!((theirs.len(), ours.len()), (calls.len(), calls.len()), "{theirs:?} {ours:?}");
        for (((call, reason), theirs), ours) in calls.iter().zip(&theirs).zip(&ours) {
            compared += 1;
            if theirs != ours {
                assert!(reason.is_some(), "{call} at {moment} in {zone}: {theirs}, here {ours}");
                differ.insert(call);
            }
        }
    }
    let stale: Vec<&String> = calls
        .iter()
        .filter(|(call, reason)| reason.is_some() && !differ.contains(call))
        .map(|(call, _)| call)
        .collect();
    assert_eq!(stale, [""; 0], "they do not differ");
    assert!(compared > 1_200, "{compared}");
}

/// Returns the calls of the corpus, and for each why it may differ.
fn calls() -> Vec<(String, Option<String>)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/pac/calls.txt");
    let text = std::fs::read_to_string(file).expect("the corpus");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| match line.split_once(" // ") {
        Some((call, reason)) => (call.to_owned(), Some(reason.to_owned())),
        None => (line.to_owned(), None),
    };
    lines.map(split).collect()
}

fn script(calls: &[(String, Option<String>)]) -> String {
    let mut script = "function FindProxyForURL(url, host) {\nvar r = [];\n".to_owned();
    for (call, _) in calls {
        let line = format!("try {{ r.push(String({call})) }} catch (e) {{ r.push('threw') }}\n");
        script.write_str(&line).expect("text");
    }
    script + "return r.join('|');\n}\n"
}

fn theirs(run: Run, file: &Path) -> Vec<String> {
    let run = run.arg("-p").arg(file).args(["-u", "http://h.test/", "-h", "h.test"]);
    split(run.output().success().trim_end())
}

fn ours(run: Run, script: &str) -> Vec<String> {
    // Long enough for a processor that is faked, too.
    let job = |task: Value| {
        json!({ "task": task, "names": {}, "left": { "secs": 20, "nanos": 0 } }).to_string() + "\n"
    };
    let find =
        json!({ "Find": { "url": "http://h.test/", "host": "h.test", "record": "Nothing" } });
    let input = job(json!({ "Load": script })) + &job(find);
    let said = run.args(["proxy", "pac-engine"]).input(input).output().success();
    let reply = said.lines().nth(1).expect("a second reply");
    let reply: Value = serde_json::from_str(reply).expect("JSON");
    let text = reply.pointer("/result/Ok/Done/text").and_then(Value::as_str);
    split(text.unwrap_or_else(|| panic_with(&reply)))
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn panic_with(reply: &Value) -> &'static str {
    panic!("no answer: {reply}")
}

fn split(text: &str) -> Vec<String> {
    text.split('|').map(ToOwned::to_owned).collect()
}
