//! The chain of records: whatever is changed is seen, and whoever is ended leaves no release behind
//! that is not written down.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs};

use gocred::core::audit::{Broken, Chain, Line, Tail, tail};

use crate::{
    audit_log::records,
    support::{
        git::Desk,
        home::{GOCRED, HELPER, Home, Output},
        program,
    },
};

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";
/// Where the log is, below the state folder.
const LOG: &str = ".local/state/gocred/audit.jsonl";

/// A log of real releases.
fn log(desk: &Desk, records: usize) -> Vec<u8> {
    desk.store(ANA);
    for _ in 0..records {
        assert_eq!(desk.get(ASK), ANSWER);
    }
    fs::read(desk.home.path().join(LOG)).expect("a log")
}

fn verify(home: &Home) -> Output {
    home.gocred().args(["audit", "verify"]).output()
}

/// Goes on checking with what follows, as the command does.
fn check(mut chain: Chain, log: &[u8]) -> Result<u64, Broken> {
    for line in log.strip_suffix(b"\n").unwrap_or(log).split(|byte| *byte == b'\n') {
        chain.check(line)?;
    }
    chain.finish(!log.ends_with(b"\n")).map(|head| head.records)
}

#[test]
fn whichever_byte_of_fifty_records_is_changed_its_line_is_named() {
    let Some(desk) = Desk::new() else { return };
    let log = log(&desk, 50);
    assert_eq!(check(Chain::default(), &log), Ok(50));
    let mut changed = log.clone();
    let (mut line, mut from, mut before) = (1, 0, Chain::default());
    for (at, byte) in log.iter().enumerate() {
        for flip in [0x01, 0x20, 0x80] {
            changed[at] = byte ^ flip;
            let broken = check(before.clone(), &changed[from..]).map_err(|broken| broken.line);
            assert_eq!(broken, Err(line), "{at} {flip:x}");
        }
        changed[at] = *byte;
        if *byte == b'\n' {
            before.check(&log[from..at]).expect("a record");
            (line, from) = (line + 1, at + 1);
        }
    }
    assert_eq!(line, 51);
    // The command says the same, once a line.
    let home = Home::new();
    let mut from = 0;
    for (number, text) in log.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let at = from + (number * 37) % text.len();
        changed[at] ^= 0x04;
        let file = home.write(LOG, &changed);
        let output = verify(&home);
        assert_eq!(output.code, Some(1), "{output:?}");
        let place = format!("at: {}:{}\n", file.display(), number + 1);
        assert!(output.err().contains(&place), "{place} {output:?}");
        changed[at] = log[at];
        from += text.len();
    }
    home.write(LOG, &log);
    assert!(verify(&home).success().starts_with("as written: 50 records in 1 file"));
}

#[test]
fn a_line_that_is_removed_doubled_or_moved_is_seen() {
    let Some(desk) = Desk::new() else { return };
    let log = log(&desk, 4);
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    for order in [&[0, 2, 3][..], &[1, 2, 3], &[0, 1, 1, 2, 3], &[0, 2, 1, 3], &[0, 1, 3, 2]] {
        let mixed: Vec<u8> = order.iter().flat_map(|at| lines[*at].to_vec()).collect();
        desk.home.write(LOG, &mixed);
        assert_eq!(verify(&desk.home).code, Some(1), "{order:?}");
    }
}

/// How often a program makes each system call.
fn calls(trace: &str) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for line in trace.lines() {
        if let Some((name, _)) = line.split_once('(')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}

#[test]
fn whoever_is_killed_at_any_system_call_has_released_nothing_without_a_record() {
    let Some(strace) = program("strace", "strace") else { return };
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let trace = desk.home.path().join("trace");
    let run = desk.run(&strace).arg("-o").arg(&trace).args([HELPER, "get"]).input(ASK);
    assert_eq!(run.output().success(), ANSWER);
    let calls = calls(&fs::read_to_string(trace).expect("a trace"));
    let (mut killed, mut released, mut torn) = (0, 0, 0);
    let mut before = records(&desk.home).len();
    for (name, count) in &calls {
        for at in 1..=*count {
            let inject = format!("inject={name}:signal=KILL:when={at}");
            let run = desk.run(&strace).args(["-o", "/dev/null", "-e", &inject, HELPER, "get"]);
            let output = run.input(ASK).output();
            killed += usize::from(output.code.is_none());
            let text = fs::read(desk.home.path().join(LOG)).expect("a log");
            torn += usize::from(!text.ends_with(b"\n"));
            let now = text.split(|byte| *byte == b'\n').count() - 1;
            if output.out().contains("hunter2") {
                released += 1;
                assert!(now > before, "{name} {at}: released, and not written down");
            }
            before = now;
        }
    }
    println!("killed {killed} times: {released} had an answer, {torn} records were cut off");
    assert!(killed > 60 && calls.contains_key("flock"), "{killed} {calls:?}");
    assert_eq!(desk.get(ASK), ANSWER);
    desk.run(GOCRED).args(["audit", "verify"]).output().success();
}

#[test]
fn what_was_cut_off_is_explained_by_the_next_record() {
    let Some(desk) = Desk::new() else { return };
    let log = log(&desk, 2);
    let half = &log[..log.len() - 100];
    desk.home.write(LOG, half);
    let output = verify(&desk.home);
    assert!(output.code == Some(1) && output.err().contains(":2\n"), "{output:?}");
    assert_eq!(desk.get(ASK), ANSWER);
    assert!(verify(&desk.home).success().starts_with("as written: 3 records"));
    let text = fs::read(desk.home.path().join(LOG)).expect("a log");
    assert!(text.starts_with(half));
    assert!(String::from_utf8_lossy(&text).contains(r#""event":"journal.recovered""#));
    // What is no record of ours is not taken for one either.
    let mut strange = text;
    strange.splice(0..0, *b"a line of somebody else\n");
    desk.home.write(LOG, strange);
    assert!(verify(&desk.home).err().contains(":1\n"));
    let export = desk.run(GOCRED).args(["audit", "export"]).output();
    assert!(export.err().starts_with("lines that are no records: 2; see"), "{export:?}");
    assert_eq!(export.out().lines().count(), 3);
}

#[test]
fn a_full_log_becomes_an_old_one_and_the_chain_goes_on() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let mut end = Tail::default();
    let mut log = Vec::new();
    while log.len() < 10_000_000 {
        let line = Line::recovered(1).seal(&end).into_bytes();
        end = tail(&line);
        log.extend(line);
    }
    desk.home.write(LOG, &log);
    for _ in 0..2 {
        assert_eq!(desk.get(ASK), ANSWER);
    }
    let folder = desk.home.path().join(".local/state/gocred");
    let old = fs::read(folder.join("audit.jsonl.1")).expect("an old log");
    assert!(old == log);
    let new = fs::read_to_string(desk.home.path().join(LOG)).expect("a log");
    assert_eq!(new.lines().count(), 3);
    assert!(new.contains(r#""event":"journal.continued","prev":"#), "{new}");
    let said = verify(&desk.home).success();
    assert!(said.contains(&format!("{} records in 2 files", end.seq + 3)), "{said}");
    // One that is taken away in between is missed.
    fs::rename(folder.join("audit.jsonl.1"), folder.join("audit.jsonl.2")).expect("renamed");
    verify(&desk.home).success();
    let cut = &log[..log.len() - 300];
    let whole = cut.iter().rposition(|byte| *byte == b'\n').expect("a line") + 1;
    fs::write(folder.join("audit.jsonl.2"), &log[..whole]).expect("written");
    let output = verify(&desk.home);
    assert!(output.err().contains("audit.jsonl:1\n"), "{output:?}");
}
