//! The answer to a CONNECT, and the challenges in it: any bytes end in a step or an error.
#![no_main]

use gocred::core::{challenge, connect::Connect, target::Authority};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let target = Authority::parse("git.corp.test:443").expect("a target");
    let _ = Connect::new(&target).feed(bytes);
    for challenge in challenge::parse(bytes) {
        assert!(!challenge.is(""));
    }
});
