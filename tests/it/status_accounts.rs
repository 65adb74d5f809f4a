//! `status`: whose turn it is at a host, which account a URL gets, and why.

use gocred::{core::time::rfc3339, sys::clock};

use crate::{
    config::{PROPERLY, with_system},
    docs::section,
    support::{
        eventually,
        home::{GOCRED, Home, Output, Run},
        keyring::Keyring,
    },
};

struct Desk {
    home: Home,
    keyring: Keyring,
}

impl Desk {
    /// Starts with two accounts at git.test, of which bot is the newer one.
    fn new() -> Option<Self> {
        let desk = Self { keyring: Keyring::unlocked()?, home: Home::new() };
        for user in ["ana", "bot"] {
            let login = ["login", "git.test", "--username", user, "--no-verify", "--with-token"];
            desk.run(&login).input("hunter2").output().success();
            let stored = clock::now();
            eventually("another second, for there to be a newer one", || {
                (clock::now() > stored).then_some(())
            });
        }
        Some(desk)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let run = self.home.gocred().args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    fn status(&self, arguments: &[&str]) -> Output {
        let output = self.run(&[&["status"], arguments].concat()).output();
        assert!(!output.out().contains("hunter2") && !output.err().contains("hunter2"));
        output
    }

    /// Returns what `status --json` says a URL gets.
    fn answers(&self, url: &str) -> serde_json::Value {
        let json: serde_json::Value =
            serde_json::from_str(&self.status(&[url, "--json"]).out()).expect("JSON");
        json.get("answers").cloned().expect("answers")
    }

    fn git(&self, arguments: &[&str]) {
        let git = self.home.run("git").args(arguments.iter().copied());
        git.output().success();
    }

    fn configure(&self, text: &str) {
        self.home.write(".config/gocred/config.toml", text);
    }

    /// Stores what git would after it asked a person.
    fn told_by_git(&self, path: &str, user: &str) {
        let input = format!(
            "protocol=https\nhost=git.test\npath={path}\nusername={user}\npassword=hunter2\n\n"
        );
        let helper = self.home.helper().arg("store").input(input);
        helper.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address()).output().success();
    }
}

#[test]
fn a_url_says_who_gets_it_and_what_decided_that() {
    let Some(desk) = Desk::new() else { return };
    let lib = "https://git.test/acme/lib.git";
    let first =
        |said: String| said.lines().find(|line| line.starts_with("  git: ")).map(str::to_owned);
    let git = |arguments: &[&str]| first(desk.status(arguments).success()).expect("a line");
    assert_eq!(git(&["git.test"]), "  git: bot: it was stored last, and nothing else decides");
    desk.configure("[host.\"git.test\"]\nusername = \"ana\"\n");
    let host = "  git: ana: `username` of the host says so (~/.config/gocred/config.toml:2)";
    assert_eq!(git(&["git.test"]), host);
    desk.configure(
        "# rules\n[host.\"git.test\"]\nusername = \"ana\"\n[account.\"git.test/acme\"]\nusername = \"bot\"\n",
    );
    desk.run(&["setup", "--git", "--go", "--yes"]).output().success();
    let rule = "  git: bot: the rule for git.test/acme says so (~/.config/gocred/config.toml:5)";
    assert_eq!(git(&[lib]), rule);
    assert!(desk.status(&[lib]).success().contains("\n  go:  the same\n"));
    assert_eq!(git(&["https://ana@git.test/acme/lib.git"]), "  git: ana: the URL names it");
    desk.git(&["config", "--global", "credential.https://git.test/acme.username", "ana"]);
    let said = desk.status(&[lib]).success();
    assert!(said.contains("  git: ana: git asks for it: credential.username in "), "{said}");
    assert!(said.contains("  go:  bot: the rule for git.test/acme says so "), "{said}");
}

#[test]
fn json_has_the_same_facts_and_the_same_exit_code() {
    let Some(desk) = Desk::new() else { return };
    desk.configure("[account.\"git.test/acme\"]\nusername = \"bot\"\n[account.\"git.test/x\"]\nusername = \"eve\"\n");
    desk.run(&["setup", "--git", "--go", "--yes"]).output().success();
    let got = desk.answers("https://git.test/acme/lib");
    assert_eq!(got["url"], "https://git.test/acme/lib");
    let git = &got["git"];
    assert_eq!(
        (&git["account"], &git["answered"], &git["path"]),
        (&"bot".into(), &true.into(), &"acme/lib".into())
    );
    assert_eq!(
        (&git["reason"], &git["rule"], &git["line"]),
        (&"rule".into(), &"git.test/acme".into(), &2.into())
    );
    assert_eq!(git["file"], "~/.config/gocred/config.toml");
    assert_eq!(got["go"]["account"], "bot");
    let elsewhere = desk.answers("https://git.test/other");
    assert_eq!(
        (&elsewhere["git"]["account"], &elsewhere["git"]["reason"]),
        (&"ana".into(), &"only".into())
    );

    // A rule whose account is not there: nobody stands in for it.
    let status = desk.status(&["https://git.test/x/lib", "--json"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    let json: serde_json::Value = serde_json::from_str(&status.out()).expect("JSON");
    assert_eq!(
        (&json["answers"]["git"]["account"], &json["answers"]["git"]["answered"]),
        (&"eve".into(), &false.into())
    );
    let rules = json["rules"].as_array().expect("a list");
    assert_eq!((&rules[1]["account"], &rules[1]["stored"]), (&"eve".into(), &false.into()));
    let words = desk.status(&["https://git.test/x/lib"]);
    assert_eq!(words.code, Some(1), "{words:?}");
    let hint = "it is not stored; run: gocred login git.test --username eve";
    assert!(words.out().contains(hint), "{words:?}");
    let accounts = json["accounts"].as_array().expect("a list");
    assert_eq!(
        (&accounts[0]["account"], &accounts[0]["first"], &accounts[0]["type"]),
        (&"ana".into(), &true.into(), &"password".into())
    );
    // The same without a URL: a rule that cannot work is a warning.
    desk.status(&[]).success();
    assert_eq!(desk.status(&["--strict"]).code, Some(1));
}

#[test]
fn the_account_of_the_whole_host_is_marked_and_the_other_says_so() {
    let Some(desk) = Desk::new() else { return };
    let said = desk.status(&[]).success();
    let line =
        |user: &str| said.lines().find(|line| line.contains(user)).expect("a row").to_owned();
    assert!(line(" ana").starts_with("git.test  ana      ok"), "{said}");
    assert!(line(" bot").starts_with("git.test  bot *    ok"), "{said}");
    let hint = "git.test: bot is answered in the place of ana; to change that, run: gocred switch git.test ana";
    assert!(said.contains(hint), "{said}");
    assert_eq!(said.matches("git asks nobody").count(), 1, "{said}");
    desk.run(&["switch", "git.test/acme", "bot"]).output().success();
    let said = desk.status(&[]).success();
    assert!(said.contains("git.test  ana *"), "{said}");
    assert!(!said.contains("in the place of"), "{said}");
    assert!(said.contains("\ngit.test/acme: bot, says ~/.config/gocred/config.toml:5\n"), "{said}");
}

#[test]
fn what_is_kept_for_one_path_answers_there_only() {
    let Some(desk) = Desk::new() else { return };
    desk.told_by_git("deep/one", "eve");
    desk.git(&["config", "--global", "credential.useHttpPath", "true"]);
    let there = desk.answers("https://git.test/deep/one");
    assert_eq!(
        (&there["git"]["account"], &there["git"]["reason"]),
        (&"eve".into(), &"path".into())
    );
    // git's own rule: a path that nothing is kept for gets nothing. It is said what helps.
    let status = desk.status(&["https://git.test/deep/two"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(
        status.out().contains(
            "(useHttpPath), for which nothing is kept; run: gocred switch git.test/deep "
        ),
        "{status:?}"
    );
    desk.run(&["switch", "git.test/deep", "ana"]).output().success();
    let two = desk.answers("https://git.test/deep/two");
    assert_eq!((&two["git"]["account"], &two["git"]["answered"]), (&"ana".into(), &true.into()));
}

#[test]
fn a_url_that_nobody_answers_is_1_and_hostile_ones_are_2() {
    let Some(desk) = Desk::new() else { return };
    let status = desk.status(&["https://other.test/x"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(
        status
            .out()
            .contains("  git: nobody: nothing is kept for it; run: gocred login other.test"),
        "{status:?}"
    );
    for url in [
        "https://ana:hunter2@git.test/x",
        "https://git.test/x\nhost=evil",
        "https://git.test/\u{1b}[2J",
        "git@git.test:acme/lib",
    ] {
        let status = desk.status(&[url]);
        assert_eq!(status.code, Some(2), "{status:?}");
        assert!(!status.err().contains('\u{1b}'), "{status:?}");
    }
    // A path that leads elsewhere is below no rule.
    desk.run(&["switch", "git.test/acme", "bot"]).output().success();
    desk.run(&["setup", "--git", "--go", "--yes"]).output().success();
    let got = desk.answers("https://git.test/acme/../evil/lib");
    assert_eq!(got["git"]["account"], "ana", "{got}");
}

#[test]
fn a_netrc_that_answers_needs_no_login() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(".netrc", "machine other.test login eve password hunter2\n");
    let said = desk.status(&["https://other.test/x"]).success();
    assert!(said.contains("  git: eve: the netrc has it ("), "{said}");
    assert!(said.contains("  go:  the same\n"), "{said}");
    assert!(!said.contains("gocred login other.test"), "{said}");
    let eve = desk.run(&["switch", "other.test/x", "eve"]).output();
    assert!(eve.success().starts_with("other.test/x is for eve from now on"));
}

#[test]
fn a_locked_rule_is_the_administrators() {
    let home = Home::new();
    let system = "lock = ['account.\"git.test/acme\"', 'host.\"git.test\".username']\n\
                  [account.\"git.test/acme\"]\nusername = \"bot\"\n";
    for arguments in [
        &["switch", "git.test/acme", "ana"][..],
        &["switch", "git.test", "ana"],
        &["login", "git.test", "--username", "ana", "--no-verify", "--with-token", "--for", "acme"],
    ] {
        let Some(run) = with_system(&home, system, PROPERLY, GOCRED) else { return };
        let output = run.args(arguments.iter().copied()).input("hunter2").output();
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.err().contains("/etc/gocred/config.toml:1"), "{output:?}");
    }
}

#[test]
fn the_last_use_is_what_the_audit_says() {
    let Some(desk) = Desk::new() else { return };
    assert!(!desk.status(&[]).success().contains("LAST USED"));
    desk.home.write(
        ".local/state/gocred/audit.jsonl",
        "{\"v\":1,\"seq\":1,\"at\":\"2026-01-02T03:04:05.678Z\",\"event\":\"credential.released\",\"target\":\
         {\"protocol\":\"https\",\"host\":\"git.test\",\"port\":null,\"path\":null},\"account\":{\"user\":\"ana\"}}\n",
    );
    let said = desk.status(&[]).success();
    assert!(said.contains("LAST USED") && said.contains(" ago\n"), "{said}");
    let json: serde_json::Value =
        serde_json::from_str(&desk.status(&["--json"]).out()).expect("JSON");
    assert_eq!(json["accounts"][0]["last_used"], 1_767_323_045);
}

#[test]
fn the_transcript_of_the_readme_is_what_is_printed() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let desk = Desk { keyring, home: Home::new() };
    let login = |arguments: &[&str]| {
        let all = [&["login", "--no-verify", "--with-token"], arguments].concat();
        desk.run(&all).input("hunter2").output().success();
    };
    login(&["git.corp.example", "--username", "ana"]);
    login(&["github.com", "--username", "ana"]);
    let setup = [
        "setup",
        "--git",
        "--go",
        "--private",
        "git.corp.example",
        "--private",
        "github.com/acme",
        "--yes",
    ];
    desk.run(&setup).output().success();
    login(&["github.com", "--username", "acme-bot", "--for", "acme", "--setup"]);
    // What only a server knows: when a token ends; and what only time brings: a use.
    let hour = 3600;
    let ends = clock::now() + 71 * 24 * hour + hour;
    let input = format!(
        "protocol=https\nhost=git.corp.example\nusername=ana\npassword=hunter2\npassword_expiry_utc={ends}\n\n"
    );
    let helper = desk.home.helper().arg("store").input(input);
    helper.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()).output().success();
    let used = rfc3339((clock::now() - 270) * 1000);
    desk.home.write(
        ".local/state/gocred/audit.jsonl",
        format!(
            "{{\"at\":\"{used}\",\"event\":\"credential.released\",\"target\":{{\"protocol\":\"https\",\
             \"host\":\"git.corp.example\",\"port\":null}},\"account\":{{\"user\":\"ana\"}}}}\n"
        ),
    );
    let transcript = section("status");
    let transcript =
        transcript.strip_prefix("```console\n").and_then(|it| it.strip_suffix("```\n"));
    let mut printed = String::new();
    for line in transcript.expect("a console").lines().filter(|line| line.starts_with("$ ")) {
        let arguments: Vec<&str> = line.split(' ').skip(2).collect();
        printed.extend([line, "\n", &desk.run(&arguments).output().success()]);
    }
    assert_eq!(transcript, Some(printed.as_str()), "README's section should be:\n{printed}");
}
