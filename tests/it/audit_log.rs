//! The record of what was released: written before an answer leaves, by each front, and passed on in
//! the formats of others.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use serde_json::Value;

use crate::{
    proxy_lab::{CONNECT, Daemon, Upstream, basic, proxy, save},
    support::{
        agent::Agent,
        eventually,
        git::{Desk, quiet},
        home::{GOCRED, HELPER, Home, Run},
        keyring::Keyring,
        program, skipped,
    },
    vault::Desk as File,
};

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";

/// Returns the records of a home.
pub(crate) fn records(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.state().join("gocred/audit.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Fails the test unless a record was written before the secret left. Returns the trace.
fn recorded_first(trace: &Path, secret: &str) -> String {
    let trace = fs::read_to_string(trace).expect("a trace");
    let at = |what: &dyn Fn(&str) -> bool| trace.lines().position(what);
    let is_sent = |line: &str| {
        ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|it| line.contains(it))
    };
    let recorded = at(&|line| line.contains("credential.released") && line.contains("write("));
    let left = at(&|line| is_sent(line) && line.contains(secret) && !line.contains("released"));
    assert!(
        recorded.is_some() && left.is_some() && recorded < left,
        "{recorded:?} {left:?}\n{trace}"
    );
    trace
}

/// Has strace write down what a program writes.
fn traced(run: Run, log: &Path) -> Option<Run> {
    let strace = program("strace", "strace")?;
    let log = log.display().to_string();
    let calls = "trace=openat,write,writev,sendto,sendmsg,execve";
    Some(run.inside(strace, &["-f", "-s", "4096", "-e", calls, "-o", &log]))
}

#[test]
fn the_helper_writes_a_release_down_before_it_answers() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    assert_eq!(records(&desk.home).len(), 0, "what comes in is not released");
    let log = desk.home.path().join("trace");
    let Some(run) = traced(desk.helper("get", ASK), &log) else { return };
    assert_eq!(quiet(run.output()), ANSWER);
    recorded_first(&log, "hunter2");
    let record = &records(&desk.home)[0];
    assert_eq!(record["event"], "credential.released");
    assert_eq!(record["target"]["host"], "git.corp.test");
    assert_eq!(
        (&record["account"]["user"], &record["account"]["source"]),
        (&"ana".into(), &"keyring".into())
    );
    assert_eq!(record["account"]["mac"].as_str().map(str::len), Some(12));
    assert_eq!(
        (&record["caller"]["via"], &record["caller"]["chain"][0]),
        (&"helper".into(), &"strace".into())
    );
    let exe = record["caller"]["exe"].as_str().expect("a program");
    assert!(exe.ends_with("/strace"), "{exe}");
    assert_eq!(desk.get("protocol=https\nhost=other.test\n"), "");
    assert_eq!(records(&desk.home).len(), 1, "nothing was released");
}

#[test]
fn the_agent_writes_down_who_asked_the_helper() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let log = desk.home.path().join("trace");
    let Some(run) = traced(desk.run(GOCRED).args(["agent", "run"]), &log) else { return };
    let mut child =
        run.command().stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("an agent");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
    let shell = desk.run("/bin/sh").args(["-c", "\"$0\" get; exit 0", HELPER]).input(ASK);
    assert_eq!(quiet(shell.output()), ANSWER);
    desk.run(GOCRED).args(["agent", "stop"]).output().success();
    child.wait().expect("an end");
    recorded_first(&log, "hunter2");
    let record = &records(&desk.home)[0];
    assert_eq!(
        (&record["caller"]["via"], &record["caller"]["chain"][0]),
        (&"agent".into(), &"sh".into())
    );
    // What it remembers is released again, and written down again.
    let _agent = Agent::start(desk.run(GOCRED));
    assert_eq!((desk.get(ASK), desk.get(ASK)), (ANSWER.into(), ANSWER.into()));
    assert_eq!(records(&desk.home).len(), 3);
}

#[test]
fn what_is_handed_over_is_written_down_once() {
    let file = File::signed_in();
    let log = file.home.path().join("trace");
    let Some(run) = traced(file.run(HELPER).arg("get").input(ASK), &log) else { return };
    assert_eq!(quiet(run.output()), "username=ana\npassword=S3cret-of-ana\n");
    recorded_first(&log, "S3cret-of-ana");
    let records = records(&file.home);
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["account"]["source"], &records[0]["caller"]["via"]),
        (&"file".into(), &"helper".into())
    );
}

#[test]
fn goauth_writes_down_each_credential_before_go_has_any() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.store(ANA.replace("git.", "two.").replace("ana", "bob"));
    let log = desk.home.path().join("trace");
    let run = desk.run(GOCRED).arg("goauth").env("GOPRIVATE", "*.corp.test");
    let Some(run) = traced(run, &log) else { return };
    let answer = run.output().success();
    assert_eq!(answer.matches("Authorization: Basic").count(), 2);
    recorded_first(&log, "Authorization: Basic");
    let url = "https://git.corp.test/x/y?go-get=1&token=S3cret";
    let run = desk.run(GOCRED).args(["goauth", url]).env("GOPRIVATE", "*.corp.test");
    assert!(run.output().success().contains("Authorization"));
    let records = records(&desk.home);
    let users: Vec<&str> = records.iter().filter_map(|it| it["account"]["user"].as_str()).collect();
    assert_eq!(users, ["ana", "bob", "ana"]);
    assert!(records.iter().all(|record| record["caller"]["via"] == "goauth"));
}

#[test]
fn the_proxy_writes_down_that_it_was_given_a_password() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), Upstream::basic("ana:hunter2"));
    save(&keyring, &upstream, "ana:hunter2");
    let log = home.path().join("trace");
    let run = proxy(&home, &[upstream.url()]).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    let Some(run) = traced(run, &log) else { return };
    let mut daemon = Daemon::start(&run);
    for _ in 0..3 {
        assert!(daemon.ask_head(CONNECT).starts_with("HTTP/1.1 200"));
    }
    home.gocred().args(["proxy", "stop"]).output().success();
    daemon.child.wait().expect("an end");
    recorded_first(&log, &basic("ana:hunter2"));
    let records = records(&home);
    assert_eq!(records.len(), 1, "it keeps it");
    assert_eq!(records[0]["caller"]["via"], "proxy");
    assert_eq!(records[0]["target"]["port"], upstream.address.port());
}

#[test]
fn no_argument_no_query_and_no_secret_is_written_down() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let path =
        "protocol=https\nhost=git.corp.test\npath=team/lib.git?token=QuEryS3cret#FragS3cret\n";
    desk.store(path.replace("path", "username=ana\npassword=hunter2\npath"));
    let script = "exec 3<&0; \"$0\" get <&3; exit 0";
    for ask in [ASK, path] {
        let shell = desk.run("/bin/sh").args(["-c", script, HELPER, "--token=ArgvS3cret"]);
        assert_eq!(quiet(shell.input(ask).env("T", "EnvS3cret").output()), ANSWER);
    }
    let text = fs::read_to_string(desk.home.state().join("gocred/audit.jsonl")).expect("a log");
    for secret in ["S3cret", "hunter2", "aHVudGVyMg", "token"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert_eq!(records(&desk.home)[1]["target"]["path"], "team/lib.git");
    // The same secret is seen to be the same, and only under the key of this home.
    let macs: Vec<Value> =
        records(&desk.home).iter().map(|it| it["account"]["mac"].clone()).collect();
    assert_eq!(macs[0], macs[1]);
    fs::remove_file(desk.home.state().join("gocred/audit.key")).expect("removed");
    desk.get(ASK);
    assert_ne!(records(&desk.home)[2]["account"]["mac"], macs[0]);
}

#[test]
fn a_refresh_token_that_goes_to_another_helper_is_written_down() {
    let Some(desk) = Desk::new() else { return };
    let soon = gocred::sys::clock::now() + 1;
    desk.store(format!("{ANA}oauth_refresh_token=r3fresh\npassword_expiry_utc={soon}\n"));
    let answer = eventually("it has ended", || {
        Some(desk.get(ASK)).filter(|answer| !answer.contains("hunter2"))
    });
    assert!(answer.contains("oauth_refresh_token=r3fresh"), "{answer}");
    let records = records(&desk.home);
    let (last, before) = records.split_last().expect("a record");
    assert!(before.iter().all(|it| it["account"]["mac"] != last["account"]["mac"]));
}

#[test]
fn nothing_is_written_down_where_it_is_switched_off() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.home.write(".config/gocred/config.toml", "[audit]\nenabled = false\n");
    assert_eq!(desk.get(ASK), ANSWER);
    assert!(!desk.home.state().join("gocred/audit.jsonl").exists());
    let file = desk.home.path().join("elsewhere/log");
    let text = format!("[audit]\nfile = \"{}\"\n", file.display());
    desk.home.write(".config/gocred/config.toml", text);
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(fs::read_to_string(&file).expect("a log").lines().count(), 1);
    let said = desk.run(GOCRED).args(["audit", "verify"]).output().success();
    assert!(said.starts_with("as written: 1 record in 1 file\nthe last one is 1, "), "{said}");
}

#[test]
fn the_last_records_are_shown_and_those_that_come() {
    let Some(desk) = Desk::new() else { return };
    let verify = || desk.run(GOCRED).args(["audit", "verify"]).output().success();
    assert!(verify().starts_with("nothing is written down yet in "));
    desk.store(ANA);
    desk.get(ASK);
    let shown = desk.run(GOCRED).args(["audit", "tail"]).output().success();
    assert!(shown.contains("Z  ana  https://git.corp.test  keyring  helper: "), "{shown}");
    assert_eq!(shown.lines().count(), 1);
    let mut command = desk.run(GOCRED).args(["audit", "tail", "-f"]).command();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("tail");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert_eq!(next(), shown.trim_end());
    desk.get(ASK);
    assert!(next().contains("https://git.corp.test"));
    // The file becomes an old one.
    let file = desk.home.state().join("gocred/audit.jsonl");
    fs::rename(&file, file.with_extension("jsonl.1")).expect("renamed");
    desk.get(ASK);
    assert!(next().contains("https://git.corp.test"));
    child.kill().expect("killed");
    child.wait().expect("an end");
    assert!(verify().starts_with("as written: 4 records in 2 files"), "{}", verify());
}

#[test]
fn what_is_older_is_left_out() {
    let home = Home::new();
    let golden = fs::read_to_string(corpus("release.jsonl")).expect("the corpus");
    home.write(".local/state/gocred/audit.jsonl", golden);
    let export = |since: &str| home.gocred().args(["audit", "export", "--since", since]).output();
    assert_eq!(export("2026-11-25").success().lines().count(), 2);
    assert_eq!(export("2026-11-25T19:38").success().lines().count(), 1);
    assert_eq!(export("2026-11-26").success().lines().count(), 0);
    assert_eq!(export("90000d").code, Some(0));
    assert_eq!(export("yesterday").code, Some(2));
}

fn corpus(name: &str) -> String {
    format!("{}/tests/corpus/audit/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn each_format_is_what_it_always_was() {
    let home = Home::new();
    let golden = |name: &str| fs::read_to_string(corpus(name)).expect("the corpus");
    home.write(".local/state/gocred/audit.jsonl", golden("release.jsonl"));
    for (format, name) in [
        ("jsonl", "release.jsonl"),
        ("ocsf", "release.ocsf"),
        ("cef", "release.cef"),
        ("syslog", "release.syslog"),
    ] {
        let text = home.gocred().args(["audit", "export", "--format", format]).output().success();
        let expected = golden(name).replace("VERSION", env!("CARGO_PKG_VERSION"));
        assert_eq!(text, expected, "{format}");
    }
}

/// OCSF's own schema, and parsers of others that read CEF and RFC 5424.
#[test]
fn each_format_is_read_by_its_readers() {
    let Some(python) = std::env::var_os("GOCRED_TEST_READERS") else {
        skipped("set GOCRED_TEST_READERS to what `sh install/readers.sh` prints");
        return;
    };
    let home = Home::new();
    let file = home
        .write(".local/state/gocred/audit.jsonl", fs::read(corpus("release.jsonl")).expect("it"));
    for format in ["ocsf", "cef", "syslog"] {
        let text = home.gocred().args(["audit", "export", "--format", format]).output().success();
        home.write(format, text);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/readers.py");
    home.run(python).arg(script).arg(file).args(["ocsf", "cef", "syslog"]).output().success();
}

#[test]
fn sixty_four_at_once_keep_one_chain() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let tries = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let (answer, again) = desk.among_many("get", ASK);
                assert_eq!(answer, ANSWER);
                tries.fetch_add(again, Ordering::Relaxed);
            });
        }
    });
    let said = desk.run(GOCRED).args(["audit", "verify"]).output().success();
    let written =
        said.strip_prefix("as written: ").and_then(|said| said.split_once(" records in 1 file"));
    let written: u32 = written.expect(&said).0.parse().expect("a number");
    // One that was recorded and had no turn then is recorded again.
    let tries = tries.into_inner();
    assert!((64..=tries).contains(&written), "{tries}: {said}");
}
