//! The front: any path is a request of the protocol or an error, and what is sent on has no tricks; more
//! of a body never changes what was judged; any `Location` is a place or an error; and go prints the
//! whole of whatever is told of it.
//!
//! An input has lines: status, path, Content-Type, Location; what follows is the body.
#![no_main]

use gocred::core::{
    http1::{Fields, Response, Version},
    modproxy::{
        explain::{About, MAX_LINES, MAX_TEXT, Shown, text},
        judge::{self, Body, Head, Rest},
        list::{Base, Upstreams},
        redirect::{Place, Trail},
        request::Request,
    },
    refusal::Refusal,
};
use libfuzzer_sys::fuzz_target;

const ASKED: [&str; 6] = [
    "/h.test/m/@v/list",
    "/h.test/m/@v/v1.0.0.info",
    "/h.test/m/@v/v1.0.0.mod",
    "/h.test/m/@v/v1.0.0.zip",
    "/sumdb/s.test/tile/8/0/000",
    "/sumdb/s.test/supported",
];

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(5, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (status, path, kind, location, body) = (line(), line(), line(), line(), line());
    let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok());
    let path = String::from_utf8_lossy(path);
    let asked = Request::parse(&path);
    if let Ok(asked) = &asked {
        sent_on(asked);
    }

    let mut fields = Fields::default();
    fields.push("Content-Type", kind);
    fields.push("Location", location);
    let status = status.filter(|status| (100..1000).contains(status)).unwrap_or(200u16);
    let response = Response { version: Version::Http11, status, reason: Vec::new(), fields };
    let known = ASKED.map(|path| Request::parse(path).expect("a request"));
    for asked in asked.iter().chain(&known) {
        judged(asked, &response, body);
    }

    let list = Upstreams::parse("https://proxy.test:8443/go").expect("a list");
    let base = list.proxies().next().expect("a base");
    for asked in asked.iter().chain(known.first()) {
        explained(asked, base, &response, location, body);
    }
});

/// What is sent on is read as the same, and is nothing else to anybody.
fn sent_on(asked: &Request) {
    let sent = asked.path();
    assert_eq!(Request::parse(&sent).as_ref(), Ok(asked));
    assert!(sent.starts_with('/') && sent.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!sent.contains(['?', '#', '\\']) && !sent.contains("//"));
    assert!(sent.split('/').all(|element| element != "." && element != ".."));
}

fn judged(asked: &Request, response: &Response, bytes: &[u8]) {
    let all = judge::body(asked, response, bytes, Rest::None);
    assert_ne!(all, Body::More);
    for end in [0, 1, 2, 3, 9, bytes.len() / 2] {
        let part = bytes.get(..end).unwrap_or(bytes);
        let judged = judge::body(asked, response, part, Rest::Follows);
        assert!(judged == Body::More || judged == all);
    }
}

fn explained(asked: &Request, base: &Base, response: &Response, location: &[u8], body: &[u8]) {
    let mut trail = Trail::new(Place::first(base, asked));
    let error = trail.follow(location).err();
    let place = trail.now();
    let target = &place.target;
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(error.is_some() || place.origin.scheme() == "https");
    let about = About { asked, base, place };
    let shown = Shown { user: String::from_utf8_lossy(location).into_owned(), ..Shown::default() };
    if let Some(error) = error {
        printed(&about.redirected(&error));
    }
    if matches!(judge::head(response), Head::Busy | Head::Portal | Head::Refused) {
        printed(&about.status(response, body, None));
        printed(&about.status(response, body, Some(&shown)));
    }
    if let Body::Bad(flaw) = judge::body(asked, response, body, Rest::None) {
        printed(&about.body(flaw));
    }
    printed(&about.login_needed());
    printed(&about.login_rejected(&shown, 1));
}

fn printed(refusal: &Refusal) {
    let text = text(refusal);
    assert!(text.len() <= MAX_TEXT && text.lines().count() <= MAX_LINES);
    assert!(!text.replace('\n', "").contains(char::is_control));
    assert!(text.lines().all(|line| !line.trim().is_empty()));
    assert!(text.lines().next_back().is_some_and(|line| line.starts_with("run: ")));
}
