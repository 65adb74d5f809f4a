//! The encrypted file: its head, its wraps, its records, and the signatures of SSH agents.
#![no_main]

use gocred::core::vault::{
    SealKey, body,
    format::{self, Sealed},
    wrap::Costs,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = format::peek(bytes);
    let _ = Costs::parse(bytes);
    if let Ok(records) = body::parse(bytes) {
        let body = body::encode(&records);
        assert_eq!(body::parse(&body).expect("what was written").len(), records.len());
    }
    let Ok(sealed) = Sealed::parse(bytes) else { return };
    let key = SealKey::copied(&[7; 32]).expect("a key");
    assert!(sealed.open(&key).is_none(), "nobody guesses a tag");
    // What was read is written the same, and opens again.
    let header = sealed.header;
    let written = format::encode(&header, &key, b"body".to_vec().into()).expect("a file");
    let again = Sealed::parse(&written).expect("what was written");
    assert_eq!(again.header, header);
    assert_eq!(again.open(&key).expect("opened").as_slice(), b"body");
    // The body is four bytes and a tag here; what is before it has its length in it.
    let head = written.len() - 20;
    assert_eq!(&written[..60], &bytes[..60]);
    assert_eq!(&written[64..head], &bytes[64..head]);
});
