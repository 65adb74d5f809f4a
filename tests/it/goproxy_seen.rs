//! What of the module proxy front is seen from outside: its figures for monitoring, its part of the
//! status page, and its lines of the access log.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{
    goproxy_config::{Front, LIST, prepared},
    proxy_lab::{Client, Next, Upstream, status},
    support::{chromium::chromium, eventually, home::Home, program},
};

/// Where a body breaks off after more than the front keeps back.
const CUT: &str = "/m.test/x/@v/v1.0.0.zip";
const HUGE: usize = 256 * 1024;

/// A front that has served: with an answer, with one that nobody has, with a refusal, and with a body
/// that broke off.
struct Busy {
    home: Home,
    front: Front,
    upstream: Upstream,
    log: PathBuf,
}

impl Busy {
    fn start() -> Self {
        let upstream = Upstream::start(|client, head| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let answer = match path {
                LIST => "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nv1.0.0\n".to_owned(),
                CUT => {
                    let start = "PK".repeat(HUGE / 2);
                    client.send(format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{start}",
                        2 * HUGE
                    ));
                    return Next::Close;
                }
                "/broken.test/@latest" => "HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n".to_owned(),
                _ => "HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            client.send(answer);
            Next::Again
        });
        let home = Home::new();
        let log = home.path().join("access.log");
        let config = format!(
            "[proxy]\naccess_log = \"{}\"\n[goproxy]\nupstream = \"{},direct\"\n",
            log.display(),
            upstream.url()
        );
        home.write(".config/gocred/config.toml", config);
        let front = Front::start(&prepared(home.gocred()));
        for (path, expected) in [
            (LIST, "200"),
            ("/other.test/@v/list", "404"),
            ("/broken.test/@latest", "403"),
            (CUT, "200"),
        ] {
            assert_eq!(status(&front.get(path)), expected, "{path}");
        }
        Self { home, front, upstream, log }
    }

    fn lines(&self, count: usize) -> Vec<Value> {
        let text = eventually("lines of the access log", || {
            let text = fs::read_to_string(&self.log).ok()?;
            (text.lines().count() >= count && text.ends_with('\n')).then_some(text)
        });
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The address of the status page, with its token.
    fn page_url(&self) -> String {
        let url = self.home.gocred().args(["proxy", "status", "--url"]).output().success();
        url.trim_end().to_owned()
    }

    fn metrics(&self) -> String {
        let url = self.page_url();
        let (address, token) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once("/?token="))
            .expect("a URL with its token");
        let mut client = Client::to(address.parse().expect("an address"));
        client.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        ));
        client.until_end()
    }
}

#[test]
fn the_figures_have_the_front() {
    let busy = Busy::start();
    let metrics = eventually("all of it has ended", || {
        let metrics = busy.metrics();
        metrics.contains("\ngocred_goproxy_transfers 0\n").then_some(metrics)
    });
    let url = busy.upstream.url();
    for line in [
        "gocred_goproxy_requests_total{outcome=\"answered\"} 1".to_owned(),
        "gocred_goproxy_requests_total{outcome=\"missing\"} 1".to_owned(),
        "gocred_goproxy_requests_total{outcome=\"refused\"} 1".to_owned(),
        "gocred_goproxy_requests_total{outcome=\"broken\"} 1".to_owned(),
        "gocred_goproxy_requests_total{outcome=\"gone\"} 0".to_owned(),
        format!("gocred_goproxy_breaker_state{{upstream=\"{url}\"}} 0"),
        format!(
            "gocred_goproxy_upstream_requests_total{{upstream=\"{url}\",outcome=\"failed\"}} 1"
        ),
        "gocred_findings_total{code=\"H19\"} 1".to_owned(),
        "gocred_findings_total{code=\"M12\"} 1".to_owned(),
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line}: {metrics}");
    }
    let bytes = metrics.lines().find_map(|line| line.strip_prefix("gocred_goproxy_bytes_total "));
    assert!(bytes.is_some_and(|bytes| bytes.parse::<usize>().is_ok_and(|bytes| bytes >= HUGE)));
    assert!(!metrics.contains("upstream=\"direct\""), "{metrics}");
}

#[test]
fn each_request_leaves_one_line_with_the_fields_of_the_proxy() {
    let busy = Busy::start();
    let lines = busy.lines(4);
    assert_eq!(lines.len(), 4, "{lines:?}");
    let address = busy.front.address();
    let find = |path: &str| {
        let target = format!("http://{address}{path}");
        let mut found = lines.iter().filter(|line| line["target"] == target.as_str());
        found.next().unwrap_or_else(|| panic!("{target}: {lines:?}"))
    };
    let answered = find(LIST);
    assert_eq!((&answered["method"], &answered["status"]), (&"GET".into(), &200.into()));
    assert_eq!(answered["uid"], rustix::process::getuid().as_raw());
    assert_eq!(answered["upstream"], busy.upstream.url());
    assert_eq!(answered["result"], "answered");
    assert!(answered["down"].as_u64().is_some_and(|down| down > 7) && answered["ms"].is_u64());
    let missing = find("/other.test/@v/list");
    assert_eq!((&missing["status"], &missing["result"]), (&404.into(), &"answered".into()));
    let refused = find("/broken.test/@latest");
    assert_eq!((&refused["code"], &refused["result"]), (&"H19".into(), &"refused".into()));
    assert_eq!(refused["upstream"], busy.upstream.url());
    let cut = find(CUT);
    assert_eq!((&cut["code"], &cut["result"]), (&"M12".into(), &"the answer broke off".into()));
    assert!(cut["down"].as_u64().is_some_and(|down| down >= HUGE as u64), "{cut}");
}

#[test]
fn what_is_refused_or_has_a_secret_in_it_leaves_a_line_without_it() {
    let busy = Busy::start();
    let old = format!("/s-{}", "0123456789abcdef".repeat(3));
    // The secret of an earlier start, the same where none is looked for, and a query.
    assert_eq!(status(&busy.front.get(&format!("{old}/m.test/@v/list"))), "403");
    busy.front.get(&format!("/x{old}/m.test/@v/list"));
    busy.front.get("/m.test/@v/list?token=hunter2");
    let mut client = Client::to(busy.front.address().parse().expect("an address"));
    client.send("GET http://ana:hunter2@h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n");
    client.until_end();
    let mut client = Client::to(busy.front.address().parse().expect("an address"));
    client.send("hunter2\r\n\r\n");
    client.until_end();
    let lines = busy.lines(9);
    assert_eq!(lines.len(), 9, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line["code"] == "K03").count(), 1);
    assert_eq!(lines.iter().filter(|line| line["target"].is_null()).count(), 3, "{lines:?}");
    let text = fs::read_to_string(&busy.log).expect("the log");
    assert!(!text.contains("hunter2") && !text.contains("0123456789abcdef"), "{text}");
}

#[test]
fn a_browser_shows_the_front_on_the_status_page() {
    let Some(program) = program("chromium", "chromium") else { return };
    let busy = Busy::start();
    let run = chromium(&busy.home, program, [""; 0])
        .args(["--no-proxy-server", "--dump-dom", &busy.page_url()])
        .limit(std::time::Duration::from_secs(60));
    let dom = run.output().out();
    for shown in [
        &format!("<code>http://{}</code>", busy.front.address()),
        "then go's own <code>direct</code>",
        "<span id=\"modules-answered\">1</span>",
        "<span id=\"modules-missing\">1</span>",
        &busy.upstream.url(),
        "<b>H19</b>",
        "<b>M12</b>",
    ] {
        assert!(dom.contains(shown), "{shown}: {dom}");
    }
}
