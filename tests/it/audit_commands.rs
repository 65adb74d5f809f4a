//! Rules of `gocred` that a change could break unseen: found by breaking each on purpose.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
    sync::Arc,
};

use gocred::{
    core::{
        credential::{Key, Kind, Proof, Secrets},
        origin::Origin,
    },
    store,
};

use crate::support::{
    git::{Desk, quiet},
    home::{GOCRED, Home},
    server::Server,
};

/// go takes an exit code for an empty answer and shows nothing (go.md §6.1).
#[test]
fn goauth_answers_nothing_and_exits_with_0_whatever_is_wrong() {
    let Some(desk) = Desk::new() else { return };
    desk.store("protocol=https\nhost=git.test\nusername=ana\npassword=hunter2\n");
    desk.home.write(".config/gocred/config.toml", "[git]\nstore = \"s3cret\"\n");
    for arguments in [&["goauth"][..], &["goauth", "https://git.test/x"]] {
        let output = desk.run(GOCRED).args(arguments.iter().copied()).env("GOPROXY", "direct");
        let output = output.output();
        let err = output.err();
        assert_eq!((output.code, output.out().as_str()), (Some(0), ""), "{output:?}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains("config.toml:2") && !err.contains("s3cret"), "{err}");
    }
    let homeless = desk.home.gocred().arg("goauth").without("HOME").without("XDG_CONFIG_HOME");
    let output = homeless.without("XDG_STATE_HOME").output();
    assert_eq!((output.code, output.out().as_str()), (Some(0), ""), "{output:?}");
}

#[test]
fn goauth_says_nothing_of_hosts_in_clear_text() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(".config/gocred/config.toml", "[host.\"plain.test\"]\nallow_http = true\n");
    for scheme in ["http", "https"] {
        let host = if scheme == "http" { "plain.test" } else { "git.test" };
        desk.store(format!("protocol={scheme}\nhost={host}\nusername=ana\npassword=hunter2\n"));
    }
    assert_eq!(desk.held().len(), 2);
    let run = |settings: &[(&str, &str)], arguments: &[&str]| {
        let run = desk.run(GOCRED).arg("goauth").args(arguments.iter().copied());
        let run = settings.iter().fold(run, |run, (name, value)| run.env(name, *value));
        quiet(run.input("HTTP/1.1 401 Unauthorized\n\n").output())
    };
    for settings in [
        &[("GOPROXY", "direct")][..],
        &[("GOPROXY", "http://plain.test,direct"), ("GOPRIVATE", "plain.test,git.test")],
    ] {
        let eager = run(settings, &[]);
        assert!(eager.contains("https://git.test\n") && !eager.contains("plain.test"), "{eager}");
        assert_eq!(run(settings, &["http://plain.test/x"]), "");
        assert_eq!(run(settings, &["https://plain.test/x"]), "");
    }
}

#[test]
fn a_damaged_record_of_ours_is_told_moved_aside_and_the_next_run_works() {
    let home = Home::new();
    let record = home.write(".local/state/gocred/setup.json", "{\"schema\":1,\"s3cret");
    let setup = || home.gocred().args(["setup", "--git", "--yes"]).output();
    let output = setup();
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err().contains("it was moved to"), "{output:?}");
    assert!(!output.err().contains("s3cret"), "{output:?}");
    let aside = fs::read_dir(record.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
    let mut aside = aside.filter(|file| file.to_string_lossy().contains("setup.json.damaged-"));
    assert_eq!(fs::read_to_string(aside.next().unwrap()).unwrap(), "{\"schema\":1,\"s3cret");
    assert!(!home.path().join(".gitconfig").exists(), "nothing was half done");
    setup().success();
    home.gocred().args(["setup", "--undo"]).output().success();
    assert!(!home.path().join(".gitconfig").exists());
}

/// The memory of rejected passwords.
#[test]
fn a_damaged_guard_is_told_by_login() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(".local/state/gocred/guard", "\u{1}");
    let arguments =
        ["login", "--proxy", "http://p.test:1", "--username", "a", "--with-token", "--no-verify"];
    let output = desk.run(GOCRED).args(arguments).input("hunter2").output();
    assert!(output.err().contains("was damaged; it was moved to"), "{output:?}");
    output.success();
}

#[test]
fn what_a_server_or_an_account_says_reaches_the_terminal_harmless() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(|_| {
        "401 \u{1b}[31m\r\nWWW-Authenticate: Bas\u{1b}[31mic realm=\"\u{202e}\u{9b}31m\"".to_owned()
    });
    let url = format!("http://{}", server.authority());
    let user = "ana\u{202e}gnp";
    let login = ["login", &url, "--allow-http", "--username", user, "--with-token"];
    let tried = desk.run(GOCRED).args(login).input("hunter2").output();
    let stored = desk.run(GOCRED).args(login).arg("--no-verify").input("hunter2").output();
    assert_eq!(stored.code, Some(0), "{stored:?}");
    let mut outputs = vec![tried, stored];
    for arguments in [&["list"][..], &["status"], &["logout", &url]] {
        outputs.push(desk.run(GOCRED).args(arguments.iter().copied()).output());
    }
    for output in &outputs {
        let said = format!("{}{}", output.out(), output.err());
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{said:?}");
    }
    assert!(outputs.iter().any(|output| output.out().contains("ana\\u{202e}gnp")), "{outputs:?}");
}

#[test]
fn status_shows_when_a_credential_ends() {
    let Some(desk) = Desk::new() else { return };
    let secrets = |_: &str| Secrets::of(Proof::Password("hunter2".into()));
    for (host, expires) in [("ended.test", 1000), ("later.test", 9_999_999_999)] {
        let origin = Origin::new("https", host).unwrap();
        let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
        let record = store::record(key, secrets(host), Some(expires), 1);
        desk.keyring.open().save(&record).unwrap();
    }
    let output = desk.run(GOCRED).arg("status").output();
    assert_eq!(output.code, Some(1), "an expired account is a broken one: {output:?}");
    let said = output.out();
    assert!(said.contains("expired") && said.contains("gocred login ended.test"), "{said}");
    let json = desk.run(GOCRED).args(["status", "--json"]).output().out();
    assert!(json.contains("\"expires\":1000") && json.contains("\"expires\":9999999999"), "{json}");
    assert!(!json.contains("hunter2"), "{json}");
}

#[test]
fn the_proxy_listens_on_both_loopbacks_and_prints_one_line() {
    let home = Home::new();
    let run =
        home.gocred().args(["proxy", "run", "--listen", "[::1]:0", "--listen", "127.0.0.1:0"]);
    let mut child =
        run.command().stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the proxy");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on http://"), "{line}");
    let report = home.gocred().args(["proxy", "status", "--json"]).output().success();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let addresses = Arc::new(report["listen"].as_array().unwrap().clone());
    assert_eq!(addresses.len(), 2, "{report}");
    for address in addresses.iter().map(|address| address.as_str().unwrap()) {
        let mut stream = TcpStream::connect(address).expect(address);
        stream.write_all(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // The target is refused, and not the caller: its uid is known on both.
        assert!(answer.starts_with("HTTP/1.1 403 gocred"), "{answer}");
        assert!(answer.contains("destination_ip_prohibited"), "{answer}");
    }
    home.gocred().args(["proxy", "stop"]).output().success();
    child.wait().unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "one line, and no more");
}
