//! PAC: any answer is a list of ways that is written as it was read, and every function takes any
//! text.
#![no_main]

use gocred::core::pac::{
    answer::{self, Choice},
    desktop, file, glob, hosts, nets,
    question::Question,
    wpad,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (left, right) = texts;
    let answer = answer::parse(left);
    for choice in &answer.choices {
        let word = match choice {
            Choice::Direct => "DIRECT".to_owned(),
            Choice::Via(origin) => {
                let word = match origin.scheme() {
                    "http" => "PROXY",
                    "https" => "HTTPS",
                    "socks5h" => "SOCKS5",
                    other => panic!("{other}"),
                };
                assert!(origin.port().is_some());
                format!("{word} {}", origin.authority())
            }
        };
        assert_eq!(answer::parse(&word).choices, [choice.clone()]);
    }
    for note in &answer.notes {
        assert!(!note.to_string().contains(char::is_control));
    }
    if let Some((question, _)) = Question::parse(left) {
        let https = question.url.strip_prefix("https://");
        assert!(https.is_none_or(|rest| rest.find('/') == Some(rest.len() - 1)));
    }
    let _ = glob::matches(left, right);
    let _ =
        (hosts::is_plain(left), hosts::is_in_domain(left, right), hosts::is_local_or(left, right));
    let _ = (nets::sorted(left), left.parse().map(|address| nets::is_in_block(address, right)));
    let _ = file::decode(left.as_bytes(), Some(right));
    for url in wpad::urls(&wpad::search(left)) {
        assert!(url.starts_with("http://wpad.") && url.matches('.').count() >= 3);
    }
    let settings = [desktop::gnome(left), desktop::kde(left)];
    for script in settings.into_iter().flatten().filter_map(|setting| setting.script()) {
        assert_eq!(script.matches('"').count(), 2);
    }
    let _ = (desktop::macos(left), desktop::windows(left));
});
