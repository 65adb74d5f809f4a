//! git's credential protocol: any bytes are a request or an error that repeats no value, however
//! they were split.
#![no_main]

use gocred::core::gitproto::{
    Request,
    decode::{Decoder, Progress},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = Request::decode(bytes);
    let mut decoder = Decoder::default();
    let mut split = Ok(Progress::More);
    for byte in bytes {
        split = decoder.feed(&[*byte]);
        if !matches!(split, Ok(Progress::More)) {
            break;
        }
    }
    let split = split.and_then(|_| decoder.finish());
    assert_eq!(whole.is_ok(), split.is_ok());
    if let Err(error) = whole {
        assert!(error.to_string().len() < 512);
    }
});
