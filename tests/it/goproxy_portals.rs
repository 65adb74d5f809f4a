//! A captive portal or a sign-in page in place of a module proxy: go says so with a code, and none of
//! the page reaches it. Without the front, `go list -m -versions` ends well with no versions
//! (diagnosis.md).

use super::{
    goproxy_lab::{Front, Gopher, LIB, body, front_of_lab},
    proxy_lab::status,
    support::{go::Release, home::Home, lab::Lab},
};

/// A path of broken.corp.test, the codes that may be named, and the host whose page it is.
const PORTALS: [(&str, &[&str], &str); 4] = [
    ("portal-https", &["H07"], "portal.corp.test"),
    ("portal-http", &["H06", "H11"], "portal.corp.test"),
    ("portal-200", &["H08"], "broken.corp.test"),
    ("portal-511", &["H09"], "broken.corp.test"),
];

/// Everything is right but one thing, which is a page that says it is what was asked for.
const PAGES: [(&str, &str); 4] = [
    ("html-list", "list"),
    ("html-info", "v1.0.0.info"),
    ("html-mod", "v1.0.0.mod"),
    ("html-zip", "v1.0.0.zip"),
];

fn assert_told(said: &str, codes: &[&str], host: &str) {
    let named = codes.iter().any(|code| said.contains(&format!("gocred[{code}]")));
    assert!(named, "none of {codes:?}: {said}");
    assert!(said.contains(host), "whose page it is: {said}");
    assert!(!said.contains('<'), "no page: {said}");
    assert!(!said.contains("invalid character"), "{said}");
}

#[test]
fn a_portal_is_named_in_the_error_of_every_go() {
    let Some(lab) = Lab::enter() else { return };
    for (path, codes, host) in PORTALS {
        let home = Home::new();
        let front = front_of_lab(&home, lab.folder(), &format!("https://broken.corp.test/{path}"));
        for release in [Release::Go119, Release::Go127] {
            let Some(gopher) = Gopher::new(release) else { return };
            let output = gopher.download(&front.url, &[LIB]);
            assert_eq!(output.code, Some(1), "{path}: {output:?}");
            assert_told(&output.err(), codes, host);
            let versions = ["list", "-m", "-versions", LIB];
            let output = gopher.go(&front.url).args(versions).output();
            assert_eq!((output.code, output.out().as_str()), (Some(1), ""), "{path}: {output:?}");
            assert_told(&output.err(), codes, host);
        }
        for what in ["list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"] {
            assert_refused(&front, what);
        }
        let latest = front.get(&format!("/{LIB}/@latest"), "");
        assert!(body(&latest).contains("gocred["), "{latest}");
    }
}

#[test]
fn a_page_in_place_of_one_thing_is_named() {
    let Some(lab) = Lab::enter() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    for (path, what) in PAGES {
        let home = Home::new();
        let front = front_of_lab(&home, lab.folder(), &format!("https://broken.corp.test/{path}"));
        assert_refused(&front, what);
        let run = if what == "list" {
            gopher.go(&front.url).args(["list", "-m", "-versions", LIB])
        } else {
            gopher.downloading(&front.url, &[LIB])
        };
        let output = run.output();
        assert_eq!(output.code, Some(1), "{path}: {output:?}");
        assert_told(&output.err(), &["H08", "M07"], "broken.corp.test");
        // The others are as they should be.
        for (_, other) in PAGES.iter().filter(|(_, other)| *other != what) {
            let answer = front.get(&format!("/{LIB}/@v/{other}"), "");
            assert_eq!(status(&answer), "200", "{path} {other}: {answer}");
        }
    }
}

/// A few lines of text, and no page.
fn assert_refused(front: &Front, what: &str) {
    let answer = front.get(&format!("/{LIB}/@v/{what}"), "");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(!matches!(status(&answer), "200" | "404" | "410"), "{answer}");
    assert!(head.to_ascii_lowercase().contains("content-type: text/plain"), "{answer}");
    assert!(text.lines().count() <= 8 && text.len() <= 640, "{answer}");
    assert!(text.contains("gocred[") && !answer.contains('<'), "{answer}");
}

#[test]
fn a_redirect_that_leads_nowhere_is_named() {
    let Some(lab) = Lab::enter() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    for (path, codes) in [("loop", ["H10"].as_slice()), ("downgrade", &["H06", "H11"])] {
        let home = Home::new();
        let front = front_of_lab(&home, lab.folder(), &format!("https://broken.corp.test/{path}"));
        let output = gopher.download(&front.url, &[LIB]);
        assert_eq!(output.code, Some(1), "{path}: {output:?}");
        assert_told(&output.err(), codes, "broken.corp.test");
    }
}
