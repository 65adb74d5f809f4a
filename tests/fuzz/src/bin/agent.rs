//! The agent's frames, both ways: what is read does not depend on the pieces in which it comes, and what
//! was read is written as it was.
#![no_main]

use gocred::core::agent::{Answered, Asked, Decoder, Question};
use libfuzzer_sys::fuzz_target;

fn ask(data: &[u8], cut: usize) -> Option<(Asked, Vec<u8>)> {
    let mut decoder = Decoder::<Asked>::default();
    for piece in data.chunks(cut) {
        decoder.feed(piece).ok()?;
    }
    decoder.finish().map(|(asked, body)| (asked, body.to_vec()))
}

fn hear(data: &[u8], cut: usize) -> Option<Vec<u8>> {
    let mut decoder = Decoder::<Answered>::default();
    for piece in data.chunks(cut) {
        decoder.feed(piece).ok()?;
    }
    decoder.finish().map(|answer| answer.encode().to_vec())
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else { return };
    let (cut, whole) = (usize::from(cut).max(1), data.len().max(1));
    let asked = ask(data, whole);
    assert_eq!(asked, ask(data, cut));
    if let Some((Asked { verb, place, flags }, body)) = asked {
        let written = Question { verb, place, flags, body: &body }.encode();
        assert_eq!(written.as_deref().map(Vec::as_slice), Some(data));
    }
    let heard = hear(data, whole);
    assert_eq!(heard, hear(data, cut));
    if let Some(written) = heard {
        assert!(data.ends_with(&written));
    }
});
