//! A release that cannot be written down: told, and with `required = true` withheld.

use std::{
    fs::{self, File},
    time::Duration,
};

use crate::{
    proxy_lab::{CONNECT, Daemon, Upstream, save, status},
    support::{
        agent::Agent,
        git::{Desk, quiet},
        home::{GOCRED, HELPER, Output, Run},
        program,
    },
};

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";

/// A home with a credential, and with a record of one release.
fn desk(required: bool) -> Option<Desk> {
    let desk = Desk::new()?;
    desk.home.write(".config/gocred/config.toml", format!("[audit]\nrequired = {required}\n"));
    desk.store(ANA);
    assert_eq!(desk.get(ASK), ANSWER);
    Some(desk)
}

fn log(desk: &Desk) -> std::path::PathBuf {
    desk.home.state().join("gocred/audit.jsonl")
}

/// Fails the test unless it was answered exactly where nothing is required, and told in one line.
fn told(required: bool, output: &Output) {
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.out(), if required { "" } else { ANSWER }, "{output:?}");
    let err = output.err();
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(
        err.starts_with("gocred[K15]: ") && err.contains("cannot be written down in "),
        "{err}"
    );
    assert_eq!(err.contains("; run: gocred audit verify"), required, "{err}");
}

/// Has every write to the log fail as on a full disk; some of it gets there before.
fn full(desk: &Desk, run: Run, errno: &str) -> Option<Output> {
    let strace = program("strace", "strace")?;
    let (log, inject) = (log(desk).display().to_string(), format!("inject=write:error={errno}"));
    Some(run.inside(strace, &["-f", "-o", "/dev/null", "-P", &log, "-e", &inject]).output())
}

#[test]
fn on_a_full_disk_it_is_told_and_released_only_where_no_record_is_required() {
    for required in [false, true] {
        let Some(desk) = desk(required) else { return };
        let before = fs::read(log(&desk)).expect("a log");
        for errno in ["ENOSPC", "EIO", "EDQUOT"] {
            let Some(output) = full(&desk, desk.helper("get", ASK), errno) else { return };
            told(required, &output);
            assert_eq!(fs::read(log(&desk)).expect("a log"), before, "{errno}");
        }
        // Nobody is told that the user should be asked instead.
        let run = desk.helper("get", ASK).env("GIT_TERMINAL_PROMPT", "0");
        let Some(output) = full(&desk, run, "ENOSPC") else { return };
        assert!(!output.out().contains("quit"), "{output:?}");
        assert_eq!(desk.get(ASK), ANSWER);
        desk.run(GOCRED).args(["audit", "verify"]).output().success();
    }
}

/// A file system of four pages: a record is cut off where it ends, which `strace` cannot do.
#[test]
fn a_record_that_does_not_fit_is_taken_back_whole() {
    for required in [false, true] {
        let Some(desk) = desk(required) else { return };
        let Some(unshare) = program("unshare", "util-linux") else { return };
        let folder = desk.home.state().join("gocred").display().to_string();
        let script = format!(
            "cp -p '{folder}'/* \"$HOME\"; mount -t tmpfs -o mode=0700,size=16k tmpfs '{folder}'; \
             cp -p \"$HOME\"/hosts \"$HOME\"/audit.* '{folder}'; \
             for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do \
             printf 'protocol=https\\nhost=git.corp.test\\n' | {HELPER} get; done; \
             {GOCRED} audit verify"
        );
        let run = desk.run(&unshare).args(["--mount", "sh", "-c", &script]);
        let output = run.output();
        if output.err().contains("ermission denied") || output.err().contains("not permitted") {
            crate::support::skipped("a file system of its own needs root");
            return;
        }
        let out = output.out();
        let answers = out.matches("hunter2").count();
        let told = output.err().matches("gocred[K15]: ").count();
        let written: usize = out
            .lines()
            .find_map(|line| {
                line.strip_prefix("as written: ")?.split_once(" records")?.0.parse().ok()
            })
            .expect(&out);
        assert!(written > 5 && told > 2, "{output:?}");
        assert_eq!(written + told, 26, "{output:?}");
        assert_eq!(answers, if required { written - 1 } else { 25 }, "{output:?}");
    }
}

#[test]
fn one_who_holds_the_lock_and_is_stopped_does_not_hang_git() {
    for required in [false, true] {
        let Some(desk) = desk(required) else { return };
        let holder = File::options().append(true).open(log(&desk)).expect("the log");
        holder.lock().expect("locked");
        let shortest = (0..5).map(|_| {
            let output = desk.helper("get", ASK).output();
            told(required, &output);
            output.took
        });
        let shortest = shortest.min().expect("a time");
        assert!(shortest < Duration::from_millis(400), "{shortest:?}");
        assert!(shortest >= Duration::from_millis(150), "{shortest:?}");
        drop(holder);
        assert_eq!(desk.get(ASK), ANSWER);
    }
}

#[test]
fn what_is_no_file_of_ours_is_not_written_to() {
    for required in [false, true] {
        let Some(desk) = desk(required) else { return };
        let kept = desk.home.write("kept", "kept");
        let log = log(&desk);
        fs::remove_file(&log).expect("removed");
        std::os::unix::fs::symlink(&kept, &log).expect("a link");
        told(required, &desk.helper("get", ASK).output());
        assert_eq!(fs::read_to_string(&kept).expect("it"), "kept");
        fs::remove_file(&log).expect("removed");
        fs::create_dir(&log).expect("a folder");
        told(required, &desk.helper("get", ASK).output());
    }
}

#[test]
fn the_agent_and_goauth_withhold_it_too() {
    for required in [false, true] {
        let Some(desk) = desk(required) else { return };
        let log = log(&desk);
        fs::remove_file(&log).expect("removed");
        fs::create_dir(&log).expect("a folder");
        let agent = Agent::start(desk.run(GOCRED));
        for _ in 0..2 {
            told(required, &desk.helper("get", ASK).output());
        }
        drop(agent);
        let output = desk.run(GOCRED).arg("goauth").env("GOPRIVATE", "git.corp.test").output();
        assert_eq!(output.out().is_empty(), required, "{output:?}");
        assert!(output.err().starts_with("gocred[K15] goauth: "), "{output:?}");
        fs::remove_dir(&log).expect("removed");
        assert_eq!(quiet(desk.helper("get", ASK).output()), ANSWER);
    }
}

#[test]
fn the_proxy_does_not_log_in_without_a_record() {
    for required in [false, true] {
        let Some(desk) = desk(required) else { return };
        let upstream = Upstream::basic("ana:hunter2");
        save(&desk.keyring, &upstream, "ana:hunter2");
        let log = log(&desk);
        fs::remove_file(&log).expect("removed");
        fs::create_dir(&log).expect("a folder");
        let daemon = Daemon::with_keyring(&desk.home, &desk.keyring, &upstream);
        let head = daemon.ask_head(CONNECT);
        assert_eq!(upstream.logins(), usize::from(!required), "{head}");
        assert_eq!(status(&head) == "200", !required, "{head}");
    }
}
