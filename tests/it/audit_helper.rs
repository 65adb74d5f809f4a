//! Rules of the helper that a change could break unseen: found by breaking each on purpose.

use std::fs;

use gocred::core::credential::Proof;

use crate::support::{
    git::{Desk, quiet},
    home::Home,
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";

/// git would send it in `Authorization`, to the proxy (git-helper.md §1.7.1).
#[test]
fn a_proxy_is_never_answered_with_an_encoded_credential() {
    let Some(desk) = Desk::new() else { return };
    let credential = "t0ken".into();
    desk.keep_for_proxy(Proof::Encoded { authtype: "Basic".to_owned(), credential });
    let ask =
        "capability[]=authtype\ncapability[]=state\nprotocol=http\nhost=proxy.corp.test:3128\n";
    assert_eq!(desk.get(ask), "");
    assert_eq!(desk.get(format!("{ask}username=ana\n")), "");
}

/// git's own words for no, and those of Git Credential Manager, which cmd/go sets (§1.5).
#[test]
fn whoever_forbids_to_ask_a_person_ends_the_question_at_a_locked_keyring() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.keyring.lock();
    for (name, value, out) in [
        ("GCM_INTERACTIVE", "never", "quit=1\n"),
        ("GCM_INTERACTIVE", "Never", "quit=1\n"),
        ("GCM_INTERACTIVE", "false", "quit=1\n"),
        ("GCM_INTERACTIVE", "0", "quit=1\n"),
        ("GIT_TERMINAL_PROMPT", "0", "quit=1\n"),
        ("GIT_TERMINAL_PROMPT", "false", "quit=1\n"),
        ("GCM_INTERACTIVE", "always", ""),
        ("GCM_INTERACTIVE", "", ""),
        ("GIT_TERMINAL_PROMPT", "1", ""),
    ] {
        let output = desk.helper("get", ASK).env(name, value).output();
        assert_eq!((output.code, output.out().as_str()), (Some(0), out), "{name}={value}");
        assert!(output.err().contains("the keyring is locked"), "{output:?}");
    }
    let foreign = ASK.replace("git.corp", "other");
    let output = desk.helper("get", foreign).env("GIT_TERMINAL_PROMPT", "0").output();
    assert_eq!(quiet(output), "", "never for a host that is not ours");
}

#[test]
fn a_damaged_netrc_is_one_line_with_its_place_and_without_its_words() {
    let Some(desk) = Desk::new() else { return };
    let netrc =
        desk.home.write(".netrc", "machine a.test login a password b\nmachine h \"s3cret words\n");
    let ask = "protocol=https\nhost=h\n";
    let output = desk.helper("get", ask).output();
    let err = output.err();
    assert_eq!((output.code, output.out().as_str()), (Some(0), ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains(&format!("{}:2", netrc.display())), "{err}");
    assert!(!err.contains("s3cret") && !err.contains('='), "{err}");
    // What the keyring holds is answered all the same.
    assert_eq!(desk.helper("store", ANA).output().success(), "");
    assert!(desk.helper("get", ASK).output().success().contains("password=hunter2\n"));
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_line_and_the_next_helpers_turn() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let file = desk.home.config().join("gocred/config.toml");
    fs::create_dir_all(&file).unwrap();
    let unreadable = |what: &str| {
        for operation in ["get", "store", "erase"] {
            let output = desk.helper(operation, ANA.replace("hunter2", "s3cret")).output();
            let err = output.err();
            assert_eq!((output.code, output.out().as_str()), (Some(0), ""), "{what}");
            assert_eq!(err.lines().count(), 1, "{what}: {err}");
            assert!(err.contains("config.toml") && !err.contains("s3cret"), "{what}: {err}");
        }
    };
    unreadable("a folder");
    fs::remove_dir(&file).unwrap();
    for (what, bytes) in [
        ("not UTF-8", &b"[git]\n# \xff s3cret\n"[..]),
        ("no TOML", b"s3cret = = s3cret\n"),
        ("unknown key", b"[proxy]\npassword = \"s3cret\"\n"),
        ("wrong type", b"[host.\"h\"]\nallow_http = \"s3cret\"\n"),
    ] {
        desk.home.write(".config/gocred/config.toml", bytes);
        unreadable(what);
    }
    desk.home.write(".config/gocred/config.toml", "");
    assert_eq!(desk.held(), ["https://git.corp.test ana:hunter2"]);
}

/// `harden` in both programs: neither the soft nor the hard limit lets a core be written.
#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_memory_behind() {
    use std::process::Stdio;
    for program in [crate::support::home::HELPER, crate::support::home::GOCRED] {
        let home = Home::new();
        let arguments: &[&str] = if program == crate::support::home::HELPER {
            &["get"]
        } else {
            &["proxy", "run", "--listen", "127.0.0.1:0"]
        };
        let run = home.run(program).args(arguments.iter().copied());
        let mut child = run.command().stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let limits = format!("/proc/{}/limits", child.id());
        crate::support::eventually("no core dump", || {
            let text = fs::read_to_string(&limits).ok()?;
            let line = text.lines().find(|line| line.starts_with("Max core file size"))?;
            line.contains(" 0                    0 ").then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
