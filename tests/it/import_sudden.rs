//! `gocred import`, killed or failing at each system call that changes something: no secret is ever
//! nowhere, and no file is ever torn.

use std::fs;

use super::{
    import_move::Desk,
    support::{home::GOCRED, program},
};

/// The file, with another account each time: a loss is not hidden by what an earlier run has stored.
fn text(nth: usize) -> String {
    format!("# one\nhttps://user-{nth}:hunter2@git.corp.test\n# two\n")
}

const LEFT: &str = "# one\n# two\n";

/// Runs the command with the nth of a call replaced; returns whether that call was reached.
fn at(desk: &Desk, arguments: &[&str], call: &str, nth: usize, how: &str) -> bool {
    let strace = program("strace", "strace").expect("checked before");
    let trace = desk.0.home.path().join("trace");
    let inject = format!("inject={call}:{how}:when={nth}");
    let run = desk.0.run(&strace.display().to_string());
    let run = run.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", &inject, "-o"]);
    let run = run.arg(&trace).arg(GOCRED).args(arguments.iter().copied());
    let output = run.output();
    let text = fs::read_to_string(trace).unwrap();
    let shown = output.out() + &output.err();
    assert!(!shown.contains("hunter2") && !shown.contains("panic"), "{call} {nth}: {shown}");
    text.contains("(INJECTED)") || text.contains("killed by SIGKILL")
}

/// What must hold after every end: the file is as it was, or as it is to be, and then the store answers.
fn judge(desk: &Desk, nth: usize, what: &str) {
    let now = desk.read(".git-credentials");
    if now == text(nth) {
        return;
    }
    assert_eq!(now, LEFT, "{what}: a torn file");
    let request = format!("protocol=https\nhost=git.corp.test\nusername=user-{nth}\n");
    let said = desk.0.helper("get", &request).success();
    assert_eq!(said, format!("username=user-{nth}\npassword=hunter2\n"), "{what}");
    let _ = desk.ends_with(0, &["--undo"]);
    assert_eq!(desk.read(".git-credentials"), text(nth), "{what}");
}

fn sweep(how: &str, calls: &[&str]) -> usize {
    if program("strace", "strace").is_none() {
        return 0;
    }
    let mut reached = 0;
    for call in calls {
        let desk = Desk::new().wired();
        let arguments = ["import", "git-credentials", "--yes"];
        for nth in 1.. {
            desk.write(".git-credentials", text(nth));
            if !at(&desk, &arguments, call, nth, how) {
                break;
            }
            reached += 1;
            judge(&desk, nth, &format!("{how} at {call} {nth}"));
        }
        // Whatever happened before: it works now, and nothing is left behind.
        desk.write(".git-credentials", text(0));
        let _ = desk.ends_with(0, &["git-credentials", "--yes"]);
        assert_eq!(desk.read(".git-credentials"), LEFT);
        let folder = fs::read_dir(desk.0.home.path()).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.contains(".tmp")).collect();
        assert_eq!(left, [""; 0], "{call}");
    }
    reached
}

#[test]
fn a_kill_at_any_change_loses_nothing() {
    let reached = sweep("signal=KILL", &["flock", "fsync", "rename", "unlink", "write"]);
    println!("killed at {reached} calls, nothing lost");
}

#[test]
fn a_full_disk_at_any_change_loses_nothing() {
    let reached = sweep("error=ENOSPC", &["fsync", "rename", "write"]);
    println!("no room at {reached} calls, nothing lost");
}

#[test]
fn an_undo_that_is_killed_can_be_run_again() {
    if program("strace", "strace").is_none() {
        return;
    }
    for call in ["fsync", "rename", "unlink", "write"] {
        let desk = Desk::new().wired();
        desk.write(".git-credentials", text(0));
        let _ = desk.ends_with(0, &["git-credentials", "--yes"]);
        for nth in 1.. {
            let reached = at(&desk, &["import", "--undo"], call, nth, "signal=KILL");
            let now = desk.read(".git-credentials");
            assert!(now == text(0) || now == LEFT, "{call} {nth}: {now}");
            if !reached {
                break;
            }
        }
        drop(desk.import(&["--undo"]));
        assert_eq!(desk.read(".git-credentials"), text(0), "{call}");
    }
}
