//! The status page, the figures for monitoring, and who gets to see them: asked by real programs and
//! by a real browser.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, time::Duration};

use super::{
    proxy_lab::{Daemon, Next, Upstream, echo, proxy, status},
    support::{as_another_user, chromium::chromium, home::Home, program},
};

/// A proxy that has served: one upstream that is good, one that nobody listens at, one that refuses.
struct Busy {
    home: Home,
    daemon: Daemon,
    good: Upstream,
    /// The URL of the upstream where nobody listens.
    dead: String,
}

impl Busy {
    fn start() -> Self {
        let good = Upstream::start(|client, head| {
            if head.starts_with("CONNECT no.test") {
                client.send("HTTP/1.1 503 <b>busy</b>\r\nRetry-After: 30\r\n\r\n");
                return Next::Close;
            }
            client.send("HTTP/1.1 200 ok\r\n\r\n");
            echo(client);
            Next::Close
        });
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let dead = format!("http://{}", closed.local_addr().expect("an address"));
        drop(closed);
        let home = Home::new();
        let daemon = Daemon::start(&proxy(&home, &[dead.clone(), good.url()]));
        for _ in 0..6 {
            let mut client = daemon.client();
            client.send("CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(status(&client.head().expect("an answer")), "200");
        }
        let refused = daemon.ask("CONNECT no.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(refused.contains("\r\nRetry-After: 30\r\n"), "{refused}");
        Self { home, daemon, good, dead }
    }

    fn token(&self) -> String {
        let file = self.home.runtime().join("gocred/status.token");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        fs::read_to_string(file).expect("a token")
    }

    fn page_url(&self) -> String {
        let url = self.home.gocred().args(["proxy", "status", "--url"]).output().success();
        url.trim_end().to_owned()
    }

    fn get(&self, path: &str, fields: &str) -> String {
        let host = self.daemon.address;
        self.daemon.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"))
    }
}

#[test]
fn only_who_shows_the_token_and_is_sent_by_nobody_sees_the_pages() {
    let busy = Busy::start();
    let (token, host, before) = (busy.token(), busy.daemon.address, busy.good.connections());
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for path in ["/metrics", "/status.json", "/status", "/"] {
        assert_eq!(status(&busy.get(path, &bearer)), "200", "{path}");
        let nothing = busy.get(path, "");
        assert_eq!(status(&nothing), "403", "{path}: {nothing}");
        assert!(nothing.contains("run: gocred proxy status --url"), "{nothing}");
        for fields in [
            format!("{bearer}Origin: http://{host}\r\n"),
            format!("{bearer}Origin: null\r\n"),
            format!("{bearer}Referer: http://{host}/\r\n"),
            format!("{bearer}Sec-Fetch-Site: cross-site\r\n"),
            format!("{bearer}Sec-Fetch-Site: same-site\r\n"),
            format!("{bearer}Content-Length: 1\r\n"),
            format!("Authorization: Bearer {token}0\r\n"),
            "Authorization: Bearer \r\n".to_owned(),
            format!("Authorization: Basic {token}\r\n"),
            format!("Authorization: Bearer x\r\n{bearer}"),
            format!("Proxy-Authorization: Bearer {token}\r\n"),
            format!("Cookie: gocred_status_{}={token}\r\n", host.port()),
        ] {
            let answer = busy.get(path, &fields);
            assert_eq!(status(&answer), "403", "{path} {fields}: {answer}");
            assert!(!answer.contains("gocred_tunnels_open") && !answer.contains("<table"));
        }
        for (method, expected) in [("POST", "403"), ("OPTIONS", "403"), ("HEAD", "200")] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n");
            assert_eq!(status(&busy.daemon.ask(request)), expected, "{method} {path}");
        }
        // A name that somebody else can give an address (DNS rebinding), and other spellings of ours.
        for name in ["evil.example", "127.0.0.1", "localhost", "localhost.:1", "127.1:7407", ""] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\n{bearer}\r\n");
            assert_eq!(status(&busy.daemon.ask(request)), "421", "{name}");
        }
        let two = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n{bearer}\r\n");
        assert_eq!(status(&busy.daemon.ask(two)), "400");
    }
    // A token in the address is for the page only, and only whole.
    for path in [format!("/metrics?token={token}"), format!("/?token={token}0"), "/?token=".into()]
    {
        assert_eq!(status(&busy.get(&path, "")), "403", "{path}");
    }
    assert_eq!(status(&busy.get("/other", &bearer)), "421");
    let local = format!("GET /metrics HTTP/1.1\r\nHost: localhost:{}\r\n{bearer}\r\n", host.port());
    assert_eq!(status(&busy.daemon.ask(local)), "200");
    assert_eq!(busy.good.connections(), before, "an upstream heard of it");
}

#[test]
fn another_user_sees_nothing_also_with_the_token() {
    let Some(mut another_user) = as_another_user() else { return };
    let Some(_) = program("curl", "curl") else { return };
    let busy = Busy::start();
    let bearer = format!("Authorization: Bearer {}", busy.token());
    let url = format!("http://{}/metrics", busy.daemon.address);
    let output = another_user.args(["curl", "-sS", "-i", "-H", &bearer, &url]).output();
    let answer = String::from_utf8_lossy(&output.expect("curl").stdout).into_owned();
    assert_eq!(status(&answer), "403", "{answer}");
    assert!(!answer.contains("gocred_tunnels_open"), "{answer}");
}

#[test]
fn the_figures_are_in_the_format_of_prometheus() {
    let busy = Busy::start();
    let answer = busy.get("/metrics", &format!("Authorization: Bearer {}\r\n", busy.token()));
    assert!(answer.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let (mut families, mut seen, mut family) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.split(' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(matches!(kind, "HELP" | "TYPE"), "{line}");
            assert!(kind == "TYPE" || families.insert(name.to_owned()), "twice: {line}");
            name.clone_into(&mut family);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(series.starts_with(&family), "{line} within {family}");
        assert!(seen.insert(series.to_owned()), "twice: {line}");
    }
    let good = busy.good.url();
    for line in [
        format!("gocred_proxy_connect_total{{upstream=\"{good}\",code=\"200\"}} 6"),
        format!("gocred_proxy_connect_total{{upstream=\"{good}\",code=\"503\"}} 1"),
        "gocred_findings_total{code=\"P14\"} 1".to_owned(),
        format!("gocred_breaker_state{{upstream=\"{good}\"}} 0"),
        format!("gocred_breaker_state{{upstream=\"{}\"}} 2", busy.dead),
        format!("gocred_upstream_auth_rejected_total{{upstream=\"{good}\"}} 0"),
        format!("gocred_guard_tripped_total{{upstream=\"{good}\"}} 0"),
        "gocred_stage_seconds_count{stage=\"open\"} 6".to_owned(),
        "gocred_tunnels_total 6".to_owned(),
    ] {
        assert!(body.lines().any(|other| other == line), "{line}: {body}");
    }
}

/// Runs the browser of the machine.
fn browse(home: &Home, arguments: &[&str]) -> Option<String> {
    let program = program("chromium", "chromium")?;
    let run = chromium(home, program, [""; 0])
        .arg("--no-proxy-server")
        .args(arguments.iter().copied())
        .limit(Duration::from_secs(60));
    Some(run.output().out())
}

#[test]
fn a_browser_shows_the_page_and_its_numbers() {
    let busy = Busy::start();
    let Some(dom) = browse(&busy.home, &["--dump-dom", &busy.page_url()]) else { return };
    for shown in [
        "<dd id=\"tunnels\">6<small>",
        busy.good.url().as_str(),
        "out of order, tried again",
        "&lt;b&gt;busy&lt;/b&gt;",
        "<b>P14</b>",
    ] {
        assert!(dom.contains(shown), "{shown}: {dom}");
    }
    // The style was not refused: the page says so where a browser has computed it.
    let picture = busy.home.path().join("page.png");
    let arguments = [format!("--screenshot={}", picture.display()), busy.page_url()];
    browse(&busy.home, &[&arguments[0], "--window-size=900,700", &arguments[1]]);
    assert!(fs::metadata(picture).is_ok_and(|about| about.len() > 20_000), "an empty picture");
    // The address line keeps no token: the page is at its clean URL, which alone shows nothing.
    let clean = format!("http://{}/status", busy.daemon.address);
    let other = Home::new();
    let Some(dom) = browse(&other, &["--dump-dom", &clean]) else { return };
    assert!(dom.contains("its token is missing") && !dom.contains("<table"), "{dom}");
}

#[test]
fn a_page_of_the_web_gets_nothing_from_a_browser_that_has_the_cookie() {
    let busy = Busy::start();
    if browse(&busy.home, &["--dump-dom", &busy.page_url()]).is_none() {
        return;
    }
    let (us, before) = (busy.daemon.address, busy.good.connections());
    // Frames, pictures, scripts, forms and requests, from another origin of this machine.
    let page = format!(
        "<!doctype html><iframe src='http://{us}/status'></iframe><img src='http://{us}/status.json'>\
         <script src='http://{us}/metrics'></script>\
         <script>const out = t => document.body.append(' [' + t + ']');\
         fetch('http://{us}/status', {{credentials: 'include'}}).then(() => out('RE' + 'AD'), () => out('no'));\
         fetch('http://{us}/status', {{mode: 'no-cors', credentials: 'include'}})\
         .then(r => r.text()).then(t => out('opaque ' + t.length), () => out('no'));\
         fetch('http://{us}/status', {{method: 'POST', mode: 'no-cors', body: 'x'}})\
         .then(() => out('sent'), () => out('no'));</script><p id=end>end</p>"
    );
    let evil = Upstream::saying(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    ));
    let arguments = ["--dump-dom", "--virtual-time-budget=3000", &evil.url()];
    let dom = browse(&busy.home, &arguments).expect("a browser");
    assert!(dom.contains("id=\"end\""), "{dom}");
    assert!(!dom.contains("READ") && !dom.contains("P14"), "{dom}");
    assert_eq!(busy.good.connections(), before);
    let json = busy.home.gocred().args(["proxy", "status", "--json"]).output().success();
    assert!(json.contains("the status of this proxy is not told"), "{json}");
}
