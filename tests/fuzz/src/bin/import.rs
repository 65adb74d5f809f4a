//! Files of other programs: any bytes are read in every grammar, what is taken out comes back byte for
//! byte, and no name or reason repeats a secret.
#![no_main]

use gocred::core::{
    import::{Form, Put, Verdict, backup::Backup, edit, find, mask, take},
    secret::ExposeSecret,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for form in Form::ALL {
        let Ok(found) = find(form, bytes) else { continue };
        for one in &found {
            assert!(one.line >= 1 && !one.name.contains(char::is_control));
            let secret = one.secret.expose_secret();
            assert!(secret.len() < 24 || !one.name.contains(secret));
            assert!(secret.len() < 24 || !mask::mask(&one.secret).contains(secret));
            if let Verdict::Move(one) = &one.verdict {
                assert!(!one.key.user.contains(char::is_control));
            }
        }
        let places: Vec<usize> = (0..found.len()).collect();
        let put = |put| match put {
            Put::Nothing => String::new(),
            Put::Proxy => "http://127.0.0.1:7407".to_owned(),
            Put::ProxyOfGit => "http://gocred@127.0.0.1:7407".to_owned(),
        };
        let (splices, _) = take(form, bytes, &found, &places, put);
        let after = edit::apply(bytes, &splices).expect("the pieces are apart");
        assert_eq!(edit::revert(&after, &splices).expect("they fit").as_slice(), bytes);
        let _ = edit::put_back(&after, &splices);
        let (file, hash) = ("f".to_owned(), "0".repeat(64));
        let backup = Backup { file, before: hash.clone(), after: hash, splices };
        let back = Backup::parse(&backup.encode()).expect("what we wrote");
        assert_eq!(edit::revert(&after, &back.splices).expect("they fit").as_slice(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Backup::parse(&text.into());
    }
});
