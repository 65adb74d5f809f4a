//! Commands, variables and other git credential helpers as sources: the helper, the agent and go get what
//! they give, for the exact origin and for no other.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use crate::support::{
    agent::Agent,
    git::{gits, quiet},
    home::{GOCRED, HELPER, Home, Output},
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";

fn configure(home: &Home, source: &str) {
    let text = format!("[source.\"git.corp.test\"]\n{source}\n");
    home.write(".config/gocred/config.toml", text);
}

fn script(home: &Home, text: &str) -> PathBuf {
    let file = home.write("bin/give", format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("0755");
    file
}

fn ask(home: &Home, question: &str) -> Output {
    home.helper().arg("get").input(question).env("GIT_TOKEN", "t0ken").output()
}

#[test]
fn a_variable_goes_to_its_exact_origin_and_nowhere_else() {
    let home = Home::new();
    configure(&home, "from = \"env\"\nvariable = \"GIT_TOKEN\"\nuser = \"bot\"");
    assert_eq!(quiet(ask(&home, ASK)), "username=bot\npassword=t0ken\n");
    for host in [
        "git.corp.test.evil.test",
        "evilgit.corp.test",
        "git.corp.test:444",
        "git.corp.test:443",
        "sub.git.corp.test",
        "git.corp.test.",
        "GIT.corp.test",
        "corp.test",
    ] {
        let answer = ask(&home, &format!("protocol=https\nhost={host}\n"));
        assert_eq!(answer.success(), "", "{host}");
    }
    assert_eq!(ask(&home, "protocol=http\nhost=git.corp.test\n").success(), "");
    assert_eq!(quiet(home.helper().arg("get").input(ASK).output()), "", "it is not set");
    // What a login would store would never be answered.
    let login = ["login", "git.corp.test", "--username", "ana", "--with-token", "--no-verify"];
    let login = home.gocred().args(login).input("hunter2\n").output();
    assert_eq!(login.code, Some(7), "{login:?}");
    assert!(login.err().contains("alone answers for it"), "{login:?}");
    // The agent has another environment: each who asks brings his own.
    let _agent = Agent::start(home.run(GOCRED).env("GIT_TOKEN", "of-the-agent"));
    assert_eq!(quiet(ask(&home, ASK)), "username=bot\npassword=t0ken\n");
    assert_eq!(quiet(home.helper().arg("get").input(ASK).output()), "");
    let goauth = home.gocred().arg("goauth").env("GOPRIVATE", "git.corp.test");
    let goauth = goauth.env("GIT_TOKEN", "t0ken").output();
    let expected = "https://git.corp.test\n\nAuthorization: Basic Ym90OnQwa2Vu\n\n";
    assert_eq!(goauth.success(), expected);
}

#[test]
fn a_command_is_run_once_for_as_long_as_its_answer_is_good() {
    let home = Home::new();
    let give = script(&home, "echo x >>\"${0%/*}/../runs\"; echo s3cret");
    let runs = || fs::read_to_string(home.path().join("runs")).map_or(0, |it| it.lines().count());
    let command = format!("from = \"exec\"\ncommand = [\"{}\", \"now\"]", give.display());
    configure(&home, &format!("{command}\nuser = \"bot\""));
    let expected = "username=bot\npassword=s3cret\n";
    {
        let _agent = Agent::start(home.run(GOCRED));
        assert_eq!(
            (quiet(ask(&home, ASK)), quiet(ask(&home, ASK))),
            (expected.into(), expected.into())
        );
        assert_eq!(runs(), 2, "an answer without an end is kept where the configuration says so");
        configure(&home, &format!("{command}\nuser = \"bot\"\ncache = \"5m\""));
        for _ in 0..5 {
            assert_eq!(quiet(ask(&home, ASK)), expected);
        }
        assert_eq!(runs(), 3);
    }
    script(&home, "echo '{\"username\":\"ana\",\"password\":\"pw\",\"expires_at\":4102444800}'");
    configure(&home, &command);
    let expected = "username=ana\npassword=pw\npassword_expiry_utc=4102444800\n";
    assert_eq!(quiet(ask(&home, ASK)), expected);
}

#[test]
fn a_command_that_fails_or_hangs_is_said_in_time_and_without_what_it_printed() {
    let home = Home::new();
    for (text, code, what) in [
        ("echo hunter2; echo hunter2 >&2; exit 3", "K23", "ended with 3"),
        ("echo '{\"token\":\"hunter2\"}'", "K23", "no text in the field `password`"),
        ("echo hunter2; exec sleep 60", "K30", "no answer within 5 s"),
        ("head -c 5000000 /dev/zero", "K23", "ended with 141"),
    ] {
        let give = script(&home, text);
        configure(&home, &format!("from = \"exec\"\ncommand = [\"{}\"]", give.display()));
        let output = ask(&home, ASK);
        let err = output.err();
        assert!(err.starts_with(&format!("gocred[{code}]: git.corp.test: ")), "{err}");
        assert!(err.contains(what) && !err.contains("hunter2"), "{err}");
        assert!(output.took < Duration::from_secs(8), "{:?}", output.took);
        assert_eq!(output.success(), "");
    }
    configure(&home, "from = \"exec\"\ncommand = [\"give\"]");
    assert!(ask(&home, ASK).err().contains("must be an array that starts with an absolute path"));
}

#[test]
fn a_command_sees_no_secret_of_the_environment_and_no_project() {
    let home = Home::new();
    let give = script(&home, "env >\"${0%/*}/../env\"; pwd >>\"${0%/*}/../env\"; echo s3cret");
    configure(&home, &format!("from = \"exec\"\ncommand = [\"{}\"]", give.display()));
    let helper = home.helper().arg("get").input(ASK);
    let helper = helper
        .env("GITHUB_TOKEN", "hunter2")
        .env("CI_JOB_TOKEN", "hunter2")
        .env("LD_PRELOAD", "")
        .env("GIT_DIR", "/x");
    assert_eq!(quiet(helper.output()), "username=\npassword=s3cret\n");
    let seen = fs::read_to_string(home.path().join("env")).expect("what it saw");
    assert!(seen.contains("HOME=") && seen.ends_with("\n/\n"), "{seen}");
    for hidden in ["hunter2", "GIT_DIR", "LD_PRELOAD", "GIT_CONFIG_NOSYSTEM"] {
        assert!(!seen.contains(hidden), "{seen}");
    }
}

#[test]
fn another_helper_is_asked_and_nothing_is_given_to_it() {
    let home = Home::new();
    let git = gits().remove(0).program;
    let path = home.run(&git).arg("--exec-path").output().success();
    let store = PathBuf::from(path.trim()).join("git-credential-store");
    let file = home.write("secrets", "https://ana:pw@git.corp.test\nhttps://bob:b@other.test\n");
    let source = format!(
        "from = \"helper\"\ncommand = [\"{}\", \"--file\", \"{}\"]",
        store.display(),
        file.display()
    );
    configure(&home, &source);
    let expected = "username=ana\npassword=pw\n";
    assert_eq!(quiet(ask(&home, ASK)), expected);
    assert_eq!(quiet(ask(&home, &format!("{ASK}username=ana\n"))), expected);
    assert_eq!(quiet(ask(&home, &format!("{ASK}username=eve\n"))), "");
    assert_eq!(quiet(ask(&home, "protocol=https\nhost=other.test\n")), "");
    // git itself, which tells us what worked and what did not.
    home.write(".gitconfig", format!("[credential]\n\thelper = {HELPER}\n"));
    let say = |operation: &str| {
        let input = format!("{ASK}username=ana\npassword=pw\n");
        home.run(&git).args(["credential", operation]).input(input).output().success()
    };
    say("approve");
    say("reject");
    let left = fs::read_to_string(&file).expect("the file");
    assert_eq!(left, "https://ana:pw@git.corp.test\nhttps://bob:b@other.test\n");
    assert_eq!(quiet(ask(&home, ASK)), expected);
}
