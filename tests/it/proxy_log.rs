//! The access log: what a line says, what it never says, and that nothing waits for it.

use std::{fs, net::TcpStream, os::unix::fs::PermissionsExt, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    proxy_lab::{Daemon, Upstream, basic, proxy, report, status},
    support::{eventually, home::Home},
};

fn start(home: &Home, upstream: &Upstream, log: &Path) -> Daemon {
    home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\nallow = [\"127.0.0.0/8\"]\naccess_log = \"{}\"\n", log.display()),
    );
    Daemon::start(&proxy(home, &[upstream.url()]))
}

/// Waits for so many lines, and reads them.
fn lines(log: &Path, count: usize) -> Vec<Value> {
    let text = eventually("lines of the access log", || {
        let text = fs::read_to_string(log).ok()?;
        (text.lines().count() >= count && text.ends_with('\n')).then_some(text)
    });
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn get(daemon: &Daemon, path: &str) -> String {
    daemon.ask(format!("GET http://h.test/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
}

#[test]
fn each_request_and_tunnel_leaves_a_line_without_secrets() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let log = home.path().join("access.log");
    let daemon = start(&home, &upstream, &log);
    let mut client = daemon.client();
    client.send("CONNECT git.test:443 HTTP/1.1\r\nHost: git.test\r\n\r\n");
    client.head().expect("200");
    client.send("hello");
    client.exactly(5);
    drop(client);
    let secret = basic("ana:hunter2");
    daemon.ask(format!(
        "POST http://H.test:80/a/b?token=hunter2 HTTP/1.1\r\nHost: h\r\nAuthorization: {secret}\r\n\
         Proxy-Authorization: {secret}\r\nConnection: close\r\nContent-Length: 7\r\n\r\nhunter2"
    ));
    daemon.ask("CONNECT ana:hunter2@h:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    daemon.ask("GET http://ana:hunter2@h/ HTTP/1.1\r\nHost: h\r\n\r\n");
    daemon.ask("hunter2\r\n\r\n");
    let lines = lines(&log, 5);
    let find = |key: &str, value: &str| {
        let mut found = lines.iter().filter(|line| line[key] == value);
        found.next().unwrap_or_else(|| panic!("{key} {value}: {lines:?}"))
    };
    let tunnel = find("target", "git.test:443");
    assert_eq!((&tunnel["method"], &tunnel["status"]), (&"CONNECT".into(), &200.into()));
    assert_eq!((&tunnel["up"], &tunnel["down"]), (&5.into(), &5.into()));
    assert_eq!(
        (&tunnel["upstream"], &tunnel["result"]),
        (&upstream.url().into(), &"closed".into())
    );
    assert_eq!(tunnel["uid"], rustix::process::getuid().as_raw());
    assert!(tunnel["ms"].as_u64() >= tunnel["open_ms"].as_u64());
    let request = find("target", "http://h.test:80/a/b");
    assert_eq!((&request["method"], &request["up"]), (&"POST".into(), &7.into()));
    assert_eq!(lines.iter().filter(|line| line["status"] == 400).count(), 3, "{lines:?}");
    let text = fs::read_to_string(&log).expect("the log");
    for form in ["hunter2", "YW5hOmh1bnRlcjI"] {
        assert!(!text.contains(form), "{text}");
    }
    let mode = fs::metadata(&log).expect("the log").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_file_can_be_moved_away_and_no_line_is_lost() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let (log, old) = (home.path().join("access.log"), home.path().join("access.log.1"));
    let daemon = start(&home, &upstream, &log);
    get(&daemon, "1");
    lines(&log, 1);
    fs::rename(&log, &old).expect("moved");
    get(&daemon, "2");
    lines(&old, 2);
    daemon.signal(Signal::HUP);
    eventually("a new file", || log.exists().then_some(()));
    get(&daemon, "3");
    assert_eq!(lines(&log, 1)[0]["target"], "http://h.test:80/3");
    assert_eq!(lines(&old, 2).len(), 2);
    // What was still waiting is written before the end.
    for _ in 0..200 {
        get(&daemon, "4");
    }
    home.gocred().args(["proxy", "stop"]).output().success();
    assert_eq!(fs::read_to_string(&log).expect("the log").lines().count(), 201);
}

#[test]
fn a_tunnel_that_is_cut_by_the_end_leaves_its_line_too() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let log = home.path().join("access.log");
    let mut daemon = start(&home, &upstream, &log);
    let mut client = daemon.client();
    client.send("CONNECT git.test:443 HTTP/1.1\r\nHost: git.test\r\n\r\n");
    client.head().expect("200");
    client.send("hello");
    client.exactly(5);
    // The second one does not wait for open tunnels.
    daemon.signal(Signal::TERM);
    eventually("it takes nobody any more", || TcpStream::connect(daemon.address).err());
    daemon.signal(Signal::TERM);
    daemon.child.wait().expect("an end");
    let all = lines(&log, 1);
    let line = all.iter().find(|line| line["target"] == "git.test:443").expect("its line");
    assert_eq!((&line["result"], &line["up"]), (&"gocred was stopped".into(), &5.into()));
}

#[test]
fn a_log_that_cannot_be_written_is_one_finding_and_stops_nobody() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let folder = home.path().join("missing");
    let log = folder.join("access.log");
    let daemon = start(&home, &upstream, &log);
    for _ in 0..50 {
        assert_eq!(status(&get(&daemon, "x")), "200");
    }
    let findings = |report: &Value| {
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        findings.into_iter().filter(|finding| finding["code"] == "K15").collect::<Vec<_>>()
    };
    let seen = eventually("lost lines are counted", || {
        let report = report(&home);
        (report["access_log"]["dropped"] == 50).then_some(report)
    });
    assert_eq!(findings(&seen).len(), 1, "{seen}");
    let message = findings(&seen)[0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("missing/access.log: No such file"), "{message}");
    // It is written again once it can be.
    fs::create_dir(&folder).expect("a folder");
    eventually("a line", || {
        get(&daemon, "y");
        fs::metadata(&log).is_ok_and(|about| about.len() > 0).then_some(())
    });
    assert_eq!(report(&home)["access_log"]["trouble"], Value::Null);
}

#[test]
fn what_is_no_file_is_no_log() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = start(&home, &upstream, Path::new("/dev/full"));
    assert_eq!(status(&get(&daemon, "x")), "200");
    let trouble = eventually("trouble", || {
        report(&home)["access_log"]["trouble"].as_str().map(str::to_owned)
    });
    assert_eq!(trouble, "this is not a regular file");
}
