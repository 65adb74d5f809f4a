//! Response heads: any bytes are a response or an error, however they were split; what is passed on
//! is read again as the same status and fields.
#![no_main]

use gocred::core::http1::{Body, Coding, Feed, HeadReader, Response};
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
    let Ok(mut response) = Response::parse(&lines) else { return };
    for method in ["GET", "HEAD", "CONNECT"] {
        if let Ok(framing) = response.framing(method) {
            let mut out = Vec::new();
            let rest = bytes.get(used..).unwrap_or_default();
            let _ = Body::new(framing, Coding::Plain).feed(rest, &mut out);
        }
    }
    let _ = response.keeps_open();
    response.fields.remove_hop_by_hop();
    let mut out = Vec::new();
    response.encode(&mut out);
    out.extend_from_slice(b"\r\n");
    // The reason may have become longer than a line may be; nothing else may be wrong with it.
    if let Ok(Feed::Done { lines, .. }) = HeadReader::default().feed(&out) {
        let again = Response::parse(&lines).expect("what we write is read again");
        assert_eq!((again.status, again.fields), (response.status, response.fields));
    }
});
