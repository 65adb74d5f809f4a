//! NTLM: any bytes from a server are answered with a type 3 message or an error.
#![no_main]

use gocred::core::{
    auth::ntlm::{Account, Facts, authenticate},
    secret::SecretString,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|type2: &[u8]| {
    let password = SecretString::from("päss");
    let account = Account { user: "ana", password: &password };
    let facts = Facts {
        now: 1,
        client_challenge: [2; 8],
        session_key: [3; 16],
        channel_binding: Some([4; 16]),
        service: Some("HTTP/proxy.corp.test"),
    };
    let Ok(type3) = authenticate(type2, &account, &facts) else { return };
    assert!(type3.starts_with(b"NTLMSSP\0\x03\0\0\0"));
    let mut end = 88;
    for at in [12, 20, 28, 36, 44, 52] {
        let length = u16::from_le_bytes([type3[at], type3[at + 1]]);
        let offset = u32::from_le_bytes(type3[at + 4..at + 8].try_into().unwrap());
        assert_eq!(usize::try_from(offset), Ok(end), "the payload has no gaps");
        end += usize::from(length);
    }
    assert_eq!(end, type3.len());
});
