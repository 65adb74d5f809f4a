//! What the front cannot serve: 404 and 410 are byte for byte those of the upstream, and whatever the
//! list, real go ends through the front as it ends without it.

use super::{
    goproxy_lab::{Gopher, LIB, body, front, front_of_lab},
    proxy_lab::{Next, Upstream, status},
    support::{
        go::Release,
        home::{Home, Output},
        lab::Lab,
    },
};

/// A module that is on no module proxy, and whose own host asks for a login that nobody has.
const ELSEWHERE: &str = "git.corp.test/team/lib";

/// Lists, where a number is what broken.corp.test answers and `good` has every module.
const LISTS: [&str; 22] = [
    "404,good",
    "410,good",
    "403,good",
    "500,good",
    "502,good",
    "404|good",
    "403|good",
    "500|good",
    "502|good",
    "404",
    "410",
    "403",
    "502",
    "404,410",
    "404,403,good",
    "403|404",
    "404|502,good",
    "404,off",
    "502,off",
    "502|off",
    "404,direct",
    "502,direct",
];

/// What go says when it stopped somewhere; it has to say the same of these, or not.
const MARKS: [&str; 10] = [
    ": 404 ",
    ": 410 ",
    ": 403 ",
    ": 500 ",
    ": 502 ",
    ": 401 ",
    "?go-get=1",
    "disabled by GOPROXY=off",
    "blocked by policy CORP-7",
    "gone: it was withdrawn",
];

#[test]
fn what_is_missing_is_answered_byte_for_byte() {
    let Some(lab) = Lab::enter() else { return };
    let home = Home::new();
    let long = "x".repeat(60_000);
    let odd = Upstream::saying(format!(
        "HTTP/1.1 404 Nowhere To Be Seen\r\nContent-Type: text/plain; charset=utf-16\r\n\
         Content-Length: 60000\r\nConnection: close\r\n\r\n{long}"
    ));
    let chunked = Upstream::saying(
        "HTTP/1.1 410 Gone\r\nContent-Type: application/problem+json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n5\r\n{\"a\":\r\n3\r\n1}\n\r\n0\r\n\r\n",
    );
    let broken = |path: &str| format!("https://broken.corp.test/{path}");
    for (list, code, kind, text) in [
        (
            broken("404"),
            "404",
            "text/plain",
            "not found: module: no matching versions\n\tand a second line\n",
        ),
        (broken("410"), "410", "text/plain", "gone: it was withdrawn\n"),
        (odd.url(), "404", "text/plain; charset=utf-16", &long),
        (chunked.url(), "410", "application/problem+json", "{\"a\":1}\n"),
        // Nobody has it: the last who said so, as in cmd/go's `modfetch.TryProxies`.
        (
            format!("{},{}", broken("404"), broken("410")),
            "410",
            "text/plain",
            "gone: it was withdrawn\n",
        ),
    ] {
        let front = front_of_lab(&home, lab.folder(), &list);
        for what in ["@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip"] {
            let answer = front.get(&format!("/{LIB}/{what}"), "");
            let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
            assert_eq!((status(&answer), body(&answer)), (code, text), "{list} {what}: {head}");
            let kinds: Vec<&str> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                .map(|(_, kind)| kind)
                .collect();
            assert_eq!(kinds, [kind], "{list} {what}");
        }
        let (address, before) = front.place();
        let head =
            front.send(&format!("HEAD {before}/{LIB}/@v/list HTTP/1.1\r\nHost: {address}\r\n"));
        assert_eq!((status(&head), body(&head)), (code, ""), "{list}: {head}");
    }
}

#[test]
fn whatever_the_list_go_ends_as_it_does_without_the_front() {
    let Some(lab) = Lab::enter() else { return };
    let authority = lab.authority();
    for release in [Release::Go119, Release::Go127] {
        let Some(gopher) = Gopher::new(release) else { return };
        for list in LISTS {
            let (upstreams, end) = urls(list);
            let module = if end.is_empty() { LIB } else { ELSEWHERE };
            let straight = [upstreams.as_str(), end].concat();
            let run = gopher.downloading(&straight, &[module]).env("SSL_CERT_FILE", &authority);
            let straight_end = run.output();
            let home = Home::new();
            let front = front_of_lab(&home, lab.folder(), &[upstreams.as_str(), end].concat());
            // Set-up writes it with a comma, whatever stood there.
            let own_end = end.trim_start_matches([',', '|']);
            let comma = if own_end.is_empty() { "" } else { "," };
            let goproxy = format!("{}{comma}{own_end}", front.url);
            let run = gopher.downloading(&goproxy, &[module]).env("SSL_CERT_FILE", &authority);
            let output = run.output();
            assert_eq!(
                (output.code, marks(&output)),
                (straight_end.code, marks(&straight_end)),
                "{list}, {release:?}\nthrough the front: {output:?}\nwithout: {straight_end:?}"
            );
        }
    }
}

/// The URLs of a list, and what it ends with: `,direct`, `|off`, or nothing.
fn urls(list: &str) -> (String, &'static str) {
    let end = [",direct", "|direct", ",off", "|off"].into_iter().find(|end| list.ends_with(end));
    let end = end.unwrap_or_default();
    let list = list.strip_suffix(end).unwrap_or(list);
    let url = |element: &str| match element.trim_end_matches([',', '|']) {
        "good" => "https://cdn.corp.test".to_owned(),
        number => format!("https://broken.corp.test/{number}"),
    };
    let separated = |element: &str| {
        let separator = [",", "|"].into_iter().find(|it| element.ends_with(it)).unwrap_or_default();
        url(element) + separator
    };
    (list.split_inclusive([',', '|']).map(separated).collect(), end)
}

fn marks(output: &Output) -> Vec<&'static str> {
    let said = output.err();
    MARKS.into_iter().filter(|mark| said.contains(mark)).collect()
}

#[test]
fn the_checksum_database_is_passed_on_or_left_to_go() {
    let database = Upstream::start(|client, head| {
        let answer = if head.starts_with("GET /sumdb/sum.test/latest ") {
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 21\r\n\r\n\
             go.sum database tree\n"
        } else if head.starts_with("GET /sumdb/sum.test/tile/8/0/x001.p/5 ") {
            // A tile is bytes, and may begin with any of them.
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\n<\x01\x02\x03"
        } else {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        };
        client.send(answer);
        Next::Again
    });
    let missing = Upstream::saying(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    let home = Home::new();
    let front = front(&home, &format!("{},{}", missing.url(), database.url()));
    let answer = front.get("/sumdb/sum.test/latest", "");
    assert_eq!((status(&answer), body(&answer)), ("200", "go.sum database tree\n"), "{answer}");
    let answer = front.get("/sumdb/sum.test/tile/8/0/x001.p/5", "");
    assert_eq!((status(&answer), body(&answer)), ("200", "<\x01\x02\x03"), "{answer}");
    let answer = front.get("/sumdb/sum.test/supported", "");
    assert_eq!(status(&answer), "404", "{answer}");
}

#[test]
fn what_is_no_question_of_go_is_refused_and_reaches_nobody() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let front = front(&home, &upstream.url());
    let (address, before) = front.place();
    for target in [
        "/",
        "/x",
        "/a.test/x/@v/../../secret",
        "/a.test/x/@v/%2e%2e/list",
        "//a.test/@v/list",
        "/a.test/x/@v/v1.0.0.exe",
        "/a.test/x/@v/",
        "/a.test/X/@v/list",
        "/a.test/x/@v/list?x=1",
    ] {
        let answer = front.get(target, "");
        assert!(matches!(status(&answer), "400" | "404"), "{target}: {answer}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let head = format!("{method} {before}/{LIB}/@v/list HTTP/1.1\r\nHost: {address}\r\n");
        let answer = front.send(&(head + "Content-Length: 0\r\n"));
        assert_eq!(status(&answer), "405", "{method}: {answer}");
    }
    let answer = front.send(&format!("CONNECT a.test:443 HTTP/1.1\r\nHost: {address}\r\n"));
    assert!(status(&answer).starts_with('4'), "{answer}");
    assert_eq!(upstream.connections(), 0, "{:?}", upstream.heads());
}

/// `go` downloads other releases of itself as modules, since 1.21.
#[test]
fn a_toolchain_is_a_module_like_any_other() {
    let Some(gopher) = Gopher::new(Release::Go121) else { return };
    let upstream = Upstream::start(|client, _| {
        client.send("HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\nno such thing\n");
        Next::Again
    });
    let home = Home::new();
    let front = front(&home, &upstream.url());
    let output = gopher.go(&front.url).arg("version").env("GOTOOLCHAIN", "go1.99.9").output();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().contains("go1.99.9"), "{output:?}");
    let heads = upstream.heads();
    let path = "GET /golang.org/toolchain/@v/v0.0.1-go1.99.9.";
    assert!(heads.iter().any(|head| head.starts_with(path)), "{heads:?}\n{output:?}");
}

/// go takes gzip, and some servers compress whatever they are asked for.
#[test]
fn a_compressed_answer_is_judged_and_passed_on() {
    let Some(lab) = Lab::enter() else { return };
    let home = Home::new();
    let front = front_of_lab(&home, lab.folder(), "https://broken.corp.test/gzip");
    for release in [Release::Go119, Release::Go127] {
        let Some(gopher) = Gopher::new(release) else { return };
        gopher.download(&front.url, &[LIB]).success();
        let versions = gopher.go(&front.url).args(["list", "-m", "-versions", LIB]);
        assert_eq!(versions.output().success(), format!("{LIB} v1.0.0\n"));
    }
}

/// Capitals have an exclamation mark in front of them, and a version may have a plus.
#[test]
fn what_is_escaped_comes_through_as_go_wrote_it() {
    let Some(lab) = Lab::enter() else { return };
    let home = Home::new();
    let front =
        front_of_lab(&home, lab.folder(), "https://broken.corp.test/404,https://cdn.corp.test");
    for release in [Release::Go119, Release::Go127] {
        let Some(gopher) = Gopher::new(release) else { return };
        let module = "private.corp.test/Team/OldLib@v2.0.0+incompatible";
        gopher.go(&front.url).args(["mod", "download", module]).output().success();
    }
}
