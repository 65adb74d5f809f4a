//! `gocred export`: real git, curl and go read what it writes, and it writes to nobody else.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{
    import_move::Desk,
    support::{
        home::{GOCRED, Output, Run},
        terminal::Terminal,
    },
};

fn desk() -> Desk {
    let desk = Desk::new();
    for (host, user, secret) in [
        ("git.corp.test", "ana", "p#w:/é%"),
        ("h.test:8443", "a@b", "t0ken"),
        ("blank.test", "bob", "a b"),
    ] {
        desk.0.login(&[host], user, secret).success();
    }
    desk
}

fn export(desk: &Desk, arguments: &[&str]) -> Run {
    desk.0.run(GOCRED).arg("export").args(arguments.iter().copied())
}

fn output(desk: &Desk, arguments: &[&str]) -> Output {
    export(desk, arguments).output()
}

#[test]
fn git_reads_its_form() {
    let desk = desk();
    let file = desk.0.home.path().join("credentials");
    let to = file.display().to_string();
    output(&desk, &["--format", "git-credentials", "--output", &to, "--yes"]).success();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for (host, said) in [
        ("git.corp.test", "username=ana\npassword=p#w:/é%\n"),
        ("h.test:8443", "username=a@b\npassword=t0ken\n"),
        ("blank.test", "username=bob\npassword=a b\n"),
    ] {
        let git = desk.0.home.run("git").args(["credential-store", "--file", &to, "get"]);
        let answer = git.input(format!("protocol=https\nhost={host}\n\n")).output().success();
        assert_eq!(answer, said);
    }
    let again = output(&desk, &["--format", "git-credentials", "--output", &to, "--yes"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err().contains("there already"), "{again:?}");
}

#[test]
fn a_netrc_leaves_out_what_tools_would_misread() {
    let desk = desk();
    let said = output(&desk, &["--format", "netrc", "--yes"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(
        said.out(),
        "machine git.corp.test login ana password p#w:/é%\n\
         machine h.test:8443 login a@b password t0ken\n"
    );
    assert!(said.err().contains("bob at blank.test is left out"), "{said:?}");
    assert!(said.err().contains("exported 2 of 3 in clear text"), "{said:?}");
    let one = output(&desk, &["h.test:8443", "--format", "netrc", "--yes"]).success();
    assert_eq!(one, "machine h.test:8443 login a@b password t0ken\n");
    let none = output(&desk, &["other.test", "--yes"]);
    assert_eq!((none.code, none.out().as_str()), (Some(1), ""));
}

#[test]
fn json_has_everything() {
    let desk = desk();
    let said = output(&desk, &["--yes"]).success();
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    let all = json["credentials"].as_array().unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|one| (one["url"].as_str().unwrap(), one["password"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("https://blank.test", "a b"),
            ("https://git.corp.test", "p#w:/é%"),
            ("https://h.test:8443", "t0ken")
        ]
    );
}

#[test]
fn nobody_gets_a_secret_by_accident() {
    let desk = desk();
    let unasked = output(&desk, &[]);
    assert_eq!((unasked.code, unasked.out().as_str()), (Some(2), ""), "{unasked:?}");
    // A shell's redirection makes a file that others may read.
    let script = format!("umask 022; exec '{GOCRED}' export --yes >leak");
    let shared = export(&desk, &[]).around("/bin/sh").args(["-c", &script]).output();
    assert_eq!(shared.code, Some(2), "{shared:?}");
    assert!(shared.err().contains("umask 077"), "{shared:?}");
    assert_eq!(fs::read(desk.0.home.path().join("leak")).unwrap(), b"");
    let script = format!("umask 077; exec '{GOCRED}' export --yes >private");
    export(&desk, &[]).around("/bin/sh").args(["-c", &script]).output().success();
    // A screen shows it only to who says so, and is asked.
    let Some(terminal) = Terminal::start(export(&desk, &["--yes"])) else { return };
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("--show") && !shown.contains("t0ken"), "{shown}");
    let Some(mut terminal) = Terminal::start(export(&desk, &["h.test:8443", "--show"])) else {
        return;
    };
    terminal.awaits("Write one secret in clear text?");
    terminal.types("y");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("t0ken"), "{shown}");
    let Some(mut terminal) = Terminal::start(export(&desk, &["--show"])) else { return };
    terminal.awaits("Write 3 secrets in clear text?");
    terminal.types("n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!shown.contains("t0ken"), "{shown}");
}

#[test]
fn what_is_hidden_or_cannot_be_written_is_not_exported() {
    let desk = desk();
    let erase = "protocol=https\nhost=h.test:8443\nusername=a@b\npassword=t0ken\n";
    desk.0.helper("erase", erase).success();
    let said = output(&desk, &["h.test:8443", "--yes"]);
    assert_eq!((said.code, said.out().as_str()), (Some(1), ""), "{said:?}");
    let full = export(&desk, &["--yes"]).around("/bin/sh");
    let full = full.args(["-c", &format!("exec '{GOCRED}' export --yes >/dev/full")]).output();
    assert_eq!(full.code, Some(3), "{full:?}");
    let nowhere = output(&desk, &["--output", "missing/x", "--yes"]);
    assert_eq!(nowhere.code, Some(3), "{nowhere:?}");
}
