//! SPNEGO and certificates: any DER from a server is read or refused, and what answers it is SPNEGO.
#![no_main]

use gocred::core::{
    auth::{
        channel_binding,
        ntlm::{Account, Facts},
        spnego::{authenticate, init, parse},
    },
    secret::SecretString,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(parse(&init(bytes)).is_err(), "a client's first token is no reply");
    if let Some(binding) = channel_binding::end_point(bytes) {
        assert_ne!(channel_binding::ntlm(&binding), [0; 16]);
    }
    let reply = parse(bytes);
    let password = SecretString::from("p");
    let account = Account { user: "CORP\\u", password: &password };
    let facts = Facts {
        now: 1,
        client_challenge: [2; 8],
        session_key: [3; 16],
        channel_binding: None,
        service: None,
    };
    let Ok(answer) = authenticate(bytes, &account, &facts) else { return };
    if reply.is_ok() {
        let answer = parse(&answer).expect("what we write is read again");
        assert!(answer.token.expect("a token").starts_with(b"NTLMSSP\0\x03"));
    }
});
