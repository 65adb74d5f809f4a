//! netrc: any bytes are read by both dialects, and the tokens are the file.
#![no_main]

use gocred::core::netrc::{Dialect, curl, go};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for dialect in [Dialect::Curl, Dialect::Go] {
        let read = dialect.read(bytes);
        let mut end = 0;
        for token in &read.tokens {
            assert_eq!(token.span.start, end);
            end = token.span.end;
        }
        assert_eq!(end, bytes.len());
    }
    let _ = curl::lookup(bytes, "git.corp.test", None);
    let _ = curl::lookup(bytes, "git.corp.test", Some("ana"));
    let _ = go::lookup(bytes, "git.corp.test");
});
