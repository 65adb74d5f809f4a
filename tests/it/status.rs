//! `status` and `undo`: the facts, their exit codes, and no secret.

use super::support::{
    home::{Home, Output},
    keyring::Keyring,
};

struct Desk {
    home: Home,
    keyring: Keyring,
}

impl Desk {
    fn new() -> Option<Self> {
        let desk = Self { keyring: Keyring::unlocked()?, home: Home::new() };
        desk.run(
            &["login", "git.test", "--username", "ana", "--no-verify", "--with-token"],
            "hunter2",
        )
        .success();
        Some(desk)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let run = self.home.gocred().args(arguments.iter().copied()).input(input);
        let output = run.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address()).output();
        assert!(!output.out().contains("hunter2") && !output.err().contains("hunter2"));
        output
    }
}

#[test]
fn a_host_says_what_git_and_go_will_do() {
    let Some(desk) = Desk::new() else { return };
    let before = desk.run(&["status"], "").success();
    assert!(before.contains("git asks nobody; run: gocred setup --git"), "{before}");
    assert!(before.contains("go does not ask gocred; run: gocred setup --go"), "{before}");
    assert_eq!(desk.run(&["status", "--strict"], "").code, Some(1));
    let masked = desk.home.gocred().arg("status").env("GOAUTH", "netrc");
    let masked = masked.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()).output().success();
    assert!(masked.contains("run: unset GOAUTH"), "{masked}");
    desk.run(&["setup", "--git", "--go", "--private", "git.test", "--yes"], "").success();
    let after = desk.run(&["status", "git.test", "--strict"], "").success();
    assert!(after.contains("git asks gocred first"), "{after}");
    assert!(after.contains("go asks gocred, and fetches its modules itself"), "{after}");
    let other = desk.run(&["status", "other.test"], "");
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.out().contains("run `gocred login other.test`"), "{other:?}");
}

#[test]
fn of_two_accounts_the_one_that_is_not_answered_says_so() {
    let Some(desk) = Desk::new() else { return };
    let bob = ["login", "git.test", "--username", "bob", "--no-verify", "--with-token"];
    desk.run(&bob, "hunter2").success();
    for (name, other) in [("ana", "bob"), ("bob", "ana")] {
        let config = format!("[host.\"git.test\"]\nusername = \"{name}\"\n");
        desk.home.write(".config/gocred/config.toml", config);
        let said = desk.run(&["status"], "").success();
        assert!(
            said.contains(&format!("git.test: {name} is answered in the place of {other}")),
            "{said}"
        );
        assert!(!said.contains(&format!("{other} is answered")), "{said}");
        let asked = desk.home.helper().arg("get").input("protocol=https\nhost=git.test\n\n");
        let asked = asked.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address());
        assert!(asked.output().success().contains(&format!("username={name}")));
    }
}

#[test]
fn what_git_erased_is_shown_and_comes_back() {
    let Some(desk) = Desk::new() else { return };
    let erase = "protocol=https\nhost=git.test\nusername=ana\npassword=hunter2\n\n";
    let helper = desk.home.helper().arg("erase").input(erase);
    helper.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()).output().success();
    let hidden = desk.run(&["status"], "");
    assert_eq!(hidden.code, Some(1), "{hidden:?}");
    assert!(hidden.out().contains("run: gocred undo git.test"), "{hidden:?}");
    let json = desk.run(&["status", "--json"], "");
    assert_eq!(json.code, Some(1), "{json:?}");
    assert!(json.out().contains("\"state\":\"hidden\""), "{json:?}");
    let back = desk.run(&["undo", "git.test"], "").success();
    assert!(back.contains("ana at git.test is back"), "{back}");
    assert_eq!(desk.run(&["undo"], "").code, Some(1));
    desk.run(&["status"], "").success();
}

#[test]
fn secrets_in_clear_are_warned_of_without_their_value() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(
        ".gitconfig",
        "[url \"https://t:hunter2@h/\"]\n\tinsteadOf = https://h/\n[http]\n\tproxy = http://a:hunter2@p\n\
         [http \"https://x\"]\n\textraHeader = Authorization: Basic hunter2\n[credential]\n\thelper = store\n",
    );
    desk.home.write(".netrc", "# mine\nmachine h login a password hunter2\n");
    let run = desk.home.gocred().arg("status").env("HTTPS_PROXY", "http://a:hunter2@p:1");
    let run = run.env("GOPROXY", "https://a:hunter2@p,direct");
    let output = run.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()).output();
    let said = output.success();
    assert!(!said.contains("hunter2"), "{said}");
    for what in [
        "HTTPS_PROXY",
        "GOPROXY",
        "insteadOf",
        "http.proxy",
        "extraHeader",
        "= store",
        ".netrc keeps",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
}

#[test]
fn a_locked_keyring_is_5_and_says_so() {
    let Some(desk) = Desk::new() else { return };
    desk.keyring.lock();
    for arguments in [&["status"][..], &["status", "--json"], &["list"], &["undo"]] {
        let output = desk.run(arguments, "");
        assert_eq!(output.code, Some(5), "{arguments:?} {output:?}");
        assert!(output.err().contains("locked"), "{output:?}");
    }
}

#[test]
fn json_is_versioned_and_without_secrets() {
    let Some(desk) = Desk::new() else { return };
    for command in ["status", "list"] {
        let json = desk.run(&[command, "--json"], "").success();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["schema"], 1);
    }
}
