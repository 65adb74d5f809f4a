//! Lists of challenges: any bytes are read, and what Digest repeats of them arrives as it came.
#![no_main]

use gocred::core::{
    auth::{digest, token},
    challenge::parse,
    secret::{ExposeSecret, SecretString},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let challenges = parse(bytes);
    for challenge in &challenges {
        assert!(!challenge.scheme.is_empty());
        let _ = token(challenge);
    }
    let _ = digest::next_nonce(bytes);
    let Some(mut offer) = digest::best(&challenges) else { return };
    let (method, uri, cnonce) = ("CONNECT", "git.corp.test:443", "0a4f113b");
    let request = digest::Request { method, uri, nonce_count: 1, cnonce };
    let answer = offer.answer("Jäsøn \"D\\oe", &SecretString::from("p"), &request);
    let answer = answer.expect("a name without control characters");
    let answer = answer.expose_secret();
    assert!(!answer.contains(char::is_control));
    let read = parse(answer.as_bytes());
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].param("realm"), Some(offer.realm.as_str()));
    assert_eq!(read[0].param("nonce"), Some(offer.nonce()));
    assert!(read[0].param("response").is_some_and(|proof| proof.len() >= 32));
    if let Some(nonce) = digest::next_nonce(bytes) {
        offer.renew(nonce);
    }
});
