//! NO_PROXY: any list is judged without a panic, in both readings, and neither depends on the case of
//! the host or on blanks around the list.
#![no_main]

use gocred::core::noproxy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, u16)| {
    let (list, host, port) = input;
    let go = noproxy::go(list, host, port);
    let _ = noproxy::curl(list, host, port);
    if host.is_ascii() && host != "localhost" && !host.eq_ignore_ascii_case("localhost") {
        assert_eq!(go, noproxy::go(list, &host.to_ascii_uppercase(), port));
    }
    assert_eq!(go, noproxy::go(&format!("{list},"), host, port));
    // An entry for everybody wins, wherever it stands.
    assert!(noproxy::go(&format!("{list},*"), host, port));
});
