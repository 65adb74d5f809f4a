//! Request heads: any bytes are a request or an error, however they were split; what is passed on is
//! read again as the same head, and its body ends where it says.
#![no_main]

use gocred::core::http1::{Body, Coding, Feed, HeadReader, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((at, bytes)) = bytes.split_first() else { return };
    let (left, right) = bytes.split_at(usize::from(*at).min(bytes.len()));
    let whole = HeadReader::default().feed(bytes);
    let mut reader = HeadReader::default();
    let split = match reader.feed(left) {
        Ok(Feed::More) => reader.feed(right),
        early => early,
    };
    assert_eq!(whole.is_ok(), split.is_ok());
    let Ok(Feed::Done { lines, used }) = whole else { return };
    let Ok(request) = Request::parse(&lines) else { return };
    let mut out = Vec::new();
    request.encode("/", &mut out);
    out.extend_from_slice(b"\r\n");
    let Ok(Feed::Done { lines, .. }) = HeadReader::default().feed(&out) else {
        panic!("what we write is not a head");
    };
    Request::parse(&lines).expect("what we write is read again");
    if let Ok(framing) = request.framing() {
        let mut out = Vec::new();
        let rest = bytes.get(used..).unwrap_or_default();
        let _ = Body::new(framing, Coding::Chunked).feed(rest, &mut out);
    }
});
