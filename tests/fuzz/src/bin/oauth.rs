//! What servers, browsers and forges say: metadata, device codes, tokens, callbacks, accounts; and what
//! those who renew a login write for each other.
#![no_main]

use gocred::core::{
    forge_api::{self, Holder},
    oauth::{
        code::{self, Issuer},
        device::{self, Step},
        metadata, renewal,
        session::Session,
        token::{self, Answer},
    },
    secret::{ExposeSecret, SecretString},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(Answer::Granted(grant)) = token::parse(200, data) {
        let token = grant.access_token.expose_secret();
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(grant.ends(100).is_none_or(|end| end >= 100));
    }
    if let Ok(Ok(device)) = device::parse(200, data) {
        assert!(device::is_url(&device.url) && device.interval.as_secs() > 0);
    }
    if let Ok(answer) = token::parse(400, data) {
        let mut interval = std::time::Duration::from_secs(5);
        if let Step::Wait(wait) = device::step(answer, &mut interval) {
            assert!(wait.as_secs() >= 5);
        }
    }
    let text = String::from_utf8_lossy(data);
    for place in metadata::places(&text).into_iter().chain(metadata::places("https://h/a")) {
        if let Ok(server) = metadata::parse(data, &place, false) {
            assert!(server.token.starts_with("https://"));
        }
    }
    let state = SecretString::from("s");
    let issuer = Issuer { name: Some("https://h"), is_promised: false };
    if let Ok(code) = code::returned(&text, &state, &issuer) {
        assert!(!code.expose_secret().is_empty());
    }
    let mut holder = forge_api::user(data, |_| Some(&text)).unwrap_or_else(Holder::default);
    forge_api::about(data, u64::MAX, &mut holder);
    if let Some(key) = renewal::parse_ticket(&text) {
        assert_eq!(renewal::parse_ticket(&renewal::ticket(&key)), Some(key));
    }
    if let Some(outcome) = renewal::Outcome::parse(&text) {
        assert_eq!(renewal::Outcome::parse(&outcome.encode()), Some(outcome));
    }
    let _ = Session::parse(&SecretString::from(text.as_ref()));
});
