//! How the proxy says no: whatever an upstream sent, the answer is one response, printable, short, and
//! asks for nothing.
#![no_main]

use gocred::core::{
    page,
    refusal::{self, MAX_REASON, Refusal, With},
};
use libfuzzer_sys::fuzz_target;

type Sent<'a> = (u16, &'a [u8], &'a [u8], &'a [u8], &'a [u8]);

fuzz_target!(|sent: Sent<'_>| {
    let (status, message, detail, run, later) = sent;
    let _ = (page::why(message), page::is_page(message));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let status = 400 + status % 200;
    let mut refusal = Refusal::new(status, "http_request_denied", text(message))
        .code("P13")
        .detail(text(detail))
        .detail(text(message))
        .run(text(run))
        .received(status)
        .retry_after(503, refusal::retry_after(later));
    refusal.is_about(text(detail));
    let reason = refusal.reason();
    assert!(reason.len() <= MAX_REASON && !reason.contains(char::is_control));
    let answer = String::from_utf8(refusal.encode(With::Body)).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(!head.replace("\r\n", "").contains(char::is_control));
    for line in head.lines().skip(1) {
        let name = line.split_once(": ").expect("a field").0;
        let known = [
            "Cache-Control",
            "Connection",
            "Content-Length",
            "Content-Type",
            "Proxy-Authenticate",
            "Proxy-Status",
            "Retry-After",
            "X-Content-Type-Options",
        ];
        assert!(known.contains(&name), "{name}");
        assert!(name != "Proxy-Authenticate" || status == 407);
    }
    assert!(body.lines().count() <= 8 && !body.replace('\n', "").contains(char::is_control));
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
});
