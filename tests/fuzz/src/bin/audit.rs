//! The record of releases: where a log ends, whether its chain is whole, and that the next record heals
//! whatever stands before it.
#![no_main]

use gocred::core::audit::{Broken, Chain, Line, Tail, WINDOW, tail};
use libfuzzer_sys::fuzz_target;

/// Returns how many records there are.
fn check(log: &[u8]) -> Result<u64, Broken> {
    let mut chain = Chain::default();
    for line in log.strip_suffix(b"\n").unwrap_or(log).split(|byte| *byte == b'\n') {
        chain.check(line)?;
    }
    chain.finish(!log.ends_with(b"\n")).map(|head| head.records)
}

/// Writes a record behind a log, as `sys::journal` does.
fn append(log: &mut Vec<u8>) {
    let from = log.len().saturating_sub(WINDOW as usize);
    let Tail { is_torn, is_open, .. } = tail(&log[from..]);
    if is_open {
        log.push(b'\n');
    }
    let from = log.len().saturating_sub(WINDOW as usize);
    let end = tail(&log[from..]);
    assert_eq!((end.is_torn, end.is_open), (is_torn, false));
    log.extend(Line::recovered(1).seal(&end).into_bytes());
}

fuzz_target!(|bytes: &[u8]| {
    let mut log = bytes.to_vec();
    let before = check(&log);
    append(&mut log);
    // The last record is one, whatever was there before, and the next one goes on from it.
    let end = tail(&log);
    assert!(!end.is_torn && !end.is_open);
    append(&mut log);
    assert_eq!(tail(&log).seq, end.seq.saturating_add(1));
    // What was whole stays whole.
    if let (Ok(before), true) = (before, end.seq < u64::MAX - 2) {
        assert_eq!(check(&log), Ok(before + 2));
    }
});
