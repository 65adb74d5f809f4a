//! The helper under real gits, alone and beside another helper.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::PermissionsExt};

use gocred::core::credential::{Entry, Key, Kind, Proof, Record, Secrets};
use gocred::core::origin::Origin;

use crate::support::{
    git::{Desk, Git, git_since, gits, quiet},
    home::HELPER,
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";

impl Desk {
    /// Runs `git credential …`, which must be quiet.
    fn credential(&self, git: &Git, operation: &str, input: &str) -> String {
        quiet(self.git(git, operation, input).output())
    }

    /// Lets git ask ours first, and then a helper that logs what it is told and answers `answer`.
    fn chain(&self, answer: &str) {
        let log = self.home.write("log", "");
        let script = format!(
            "#!/bin/sh\nprintf '[%s]\\n' \"$1\" >> {log}\ncat >> {log}\n\
             if [ \"$1\" = get ]; then printf '{answer}'; fi\n",
            log = log.display()
        );
        let other = self.home.write("other", script);
        fs::set_permissions(&other, PermissionsExt::from_mode(0o755)).expect("0755");
        self.home.write(
            ".gitconfig",
            format!(
                "[credential]\n\thelper = {HELPER}\n\thelper = {}\n\tuseHttpPath = false\n",
                other.display()
            ),
        );
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).expect("the log")
    }
}

#[test]
fn git_approves_fills_and_rejects_through_the_helper() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        let before = desk.git(&git, "fill", ASK).output();
        assert_eq!(before.code, Some(128), "{before:?}");
        assert_eq!(desk.credential(&git, "approve", ANA), "");
        assert_eq!(desk.credential(&git, "fill", ASK), ANA);
        assert_eq!(desk.credential(&git, "fill", "url=https://ana@git.corp.test/x.git\n"), ANA);
        assert_eq!(desk.credential(&git, "reject", ANA), "");
        assert_eq!(desk.git(&git, "fill", ASK).output().code, Some(128));
        assert_eq!(desk.held(), ["https://git.corp.test ana:hunter2 hidden"]);
    }
}

#[test]
fn git_tells_accounts_apart_by_path_where_it_is_told_to() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        desk.home.write(
            ".gitconfig",
            format!("[credential]\n\thelper = {HELPER}\n\tuseHttpPath = true\n"),
        );
        for (path, user) in [("one/a.git", "ana"), ("two/b.git", "bob")] {
            let full = format!("{ASK}path={path}\nusername={user}\npassword=of {user}\n");
            desk.credential(&git, "approve", &full);
            assert_eq!(desk.credential(&git, "fill", &format!("{ASK}path={path}\n")), full);
        }
        let other = desk.git(&git, "fill", format!("{ASK}path=three/c.git\n")).output();
        assert_eq!(other.code, Some(128));
    }
}

#[test]
fn the_next_helper_is_asked_when_we_have_nothing_and_only_then() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        desk.chain("username=bob\\npassword=theirs\\n");
        let theirs = format!("{ASK}username=bob\npassword=theirs\n");
        assert_eq!(desk.credential(&git, "fill", ASK), theirs);
        desk.credential(&git, "approve", &theirs);
        assert_eq!(desk.held(), ["https://git.corp.test bob:theirs"]);
        assert_eq!(desk.log().matches("[get]").count(), 1);
        assert_eq!(desk.credential(&git, "fill", ASK), theirs);
        assert_eq!(desk.log().matches("[get]").count(), 1, "ours answered");
        // Theirs is rejected: ours hides its copy, and another account stays.
        desk.credential(&git, "approve", ANA);
        desk.credential(&git, "reject", &theirs);
        assert_eq!(
            desk.held(),
            ["https://git.corp.test ana:hunter2", "https://git.corp.test bob:theirs hidden"]
        );
        assert_eq!(desk.log().matches("[erase]").count(), 1);
    }
}

#[test]
fn a_locked_keyring_leaves_the_next_helper_its_turn() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        desk.credential(&git, "approve", ANA);
        desk.chain("username=bob\\npassword=theirs\\n");
        desk.keyring.lock();
        let output = desk.git(&git, "fill", ASK).without("GIT_TERMINAL_PROMPT").output();
        let locked = "gocred[K05]: git.corp.test: the keyring is locked; run: gocred unlock\n";
        assert_eq!(output.err(), locked);
        assert_eq!(output.success(), format!("{ASK}username=bob\npassword=theirs\n"));
    }
}

#[test]
fn a_locked_keyring_that_nobody_can_unlock_ends_gits_question() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        desk.credential(&git, "approve", ANA);
        desk.keyring.lock();
        let output = desk.git(&git, "fill", ASK).output();
        assert_eq!((output.code, output.out().as_str()), (Some(128), ""), "{output:?}");
        assert!(output.err().contains("told us to quit"), "{output:?}");
        assert!(output.err().contains("the keyring is locked"), "{output:?}");
    }
}

#[test]
fn what_cmd_go_does_with_both_streams_as_one_works() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        desk.home.write(".netrc", "");
        desk.credential(&git, "approve", ANA);
        // cmd/go (GOAUTH=git): `fill` with both streams in one buffer, and that buffer to `approve`
        // or `reject`.
        for (operation, held) in [
            ("approve", "https://git.corp.test ana:hunter2"),
            ("reject", "https://git.corp.test ana:hunter2 hidden"),
        ] {
            let script = "exec 2>&1; git credential fill > both && git credential $1 < both";
            let folder = git.program.parent().expect("a folder").display();
            let output = desk
                .run("/bin/sh")
                .args(["-c", script, "sh", operation])
                .env("PATH", format!("{folder}:/usr/bin:/bin"))
                .env("GIT_TERMINAL_PROMPT", "0")
                .env("GCM_INTERACTIVE", "never")
                .input("url=https://git.corp.test/team/lib\n")
                .output();
            assert_eq!(quiet(output), "", "{operation}");
            assert_eq!(desk.held(), [held]);
        }
    }
}

#[test]
fn an_expired_token_goes_to_the_next_helper_for_renewal() {
    let Some(git) = git_since(2, 41) else { return };
    let Some(desk) = Desk::new() else { return };
    let origin = Origin::new("https", "git.corp.test").expect("an origin");
    let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
    let entry = Entry { key, expires: Some(1000), stored: 1000, hidden: None };
    let proof = Proof::Password("0ld".into());
    let secrets = Secrets { refresh_token: Some("r3fresh".into()), ..Secrets::of(proof) };
    desk.keyring.open().save(&Record { entry, secrets }).expect("saved");
    desk.chain("password=n3w\\npassword_expiry_utc=9999999999\\noauth_refresh_token=r2\\n");
    let renewed = format!(
        "{ASK}username=ana\npassword=n3w\npassword_expiry_utc=9999999999\noauth_refresh_token=r2\n"
    );
    let filled = desk.credential(&git, "fill", ASK);
    assert_eq!(sorted(&filled), sorted(&renewed));
    let log = desk.log();
    assert!(
        log.contains("username=ana\n") && log.contains("oauth_refresh_token=r3fresh\n"),
        "{log}"
    );
    assert!(!log.contains("0ld"), "{log}");
    desk.credential(&git, "approve", &filled);
    assert_eq!(desk.held(), ["https://git.corp.test ana:n3w"]);
    assert_eq!(sorted(&desk.credential(&git, "fill", ASK)), sorted(&renewed));
}

#[test]
fn an_encoded_credential_and_our_state_pass_through_git() {
    let Some(git) = git_since(2, 46) else { return };
    let Some(desk) = Desk::new() else { return };
    let capabilities = "capability[]=authtype\ncapability[]=state\n";
    let bearer = "authtype=Bearer\ncredential=t0ken\n";
    desk.credential(&git, "approve", &format!("{capabilities}{bearer}{ASK}"));
    assert_eq!(desk.held(), ["https://git.corp.test :Bearer t0ken"]);
    let filled = desk.credential(&git, "fill", &format!("{capabilities}{ASK}"));
    for line in ["authtype=Bearer\n", "credential=t0ken\n", "state[]=gocred:source=keyring;"] {
        assert!(filled.contains(line), "{line}: {filled}");
    }
    // Who does not announce it never sees it.
    assert_eq!(desk.git(&git, "fill", ASK).output().code, Some(128));
    desk.credential(&git, "approve", &filled);
    desk.credential(&git, "reject", &filled);
    assert_eq!(desk.held(), ["https://git.corp.test :Bearer t0ken hidden"]);
}

#[test]
fn git_asks_and_erases_for_a_proxy_and_gets_a_password_only() {
    for git in gits() {
        let Some(desk) = Desk::new() else { return };
        desk.keep_for_proxy(Proof::Password("pr0xy".into()));
        let ask = "protocol=http\nhost=proxy.corp.test:3128\n";
        let answer = format!("{ask}username=ana\npassword=pr0xy\n");
        assert_eq!(desk.credential(&git, "fill", &format!("{ask}username=ana\n")), answer);
        // What git says for a 407 that nobody answered (git-helper.md §1.7.2).
        desk.credential(&git, "reject", ask);
        desk.credential(&git, "reject", &answer);
        desk.credential(&git, "approve", &answer.replace("pr0xy", "other"));
        assert_eq!(desk.credential(&git, "fill", ask), answer);
    }
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("capability")).collect();
    lines.sort_unstable();
    lines
}
