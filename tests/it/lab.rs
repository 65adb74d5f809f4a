//! The lab itself: it passes a command's end on, and leaves nothing, whatever that end is.

use std::{fs, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{eventually, home::Home, lab::Lab};

const ENTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/enter.sh");

#[test]
fn the_lab_ends_with_its_command_and_leaves_nothing() {
    let Some(_lab) = Lab::enter() else { return };
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 128 + 9)] {
        let home = Home::new();
        let temporary = home.path().join("tmp");
        fs::create_dir(&temporary).expect("a folder");
        let output = home
            .run(ENTER)
            .args(["sh", "-c", &format!("ls -A \"$GOCRED_LAB\" && {script}")])
            .env("TMPDIR", &temporary)
            .output();
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.out().contains("accounts.env"), "{output:?}");
        assert!(output.took < Duration::from_secs(10), "{:?}", output.took);
        assert!(is_empty(&temporary), "{script}");
    }
}

#[test]
fn a_lab_that_is_ended_ends_its_command_and_leaves_nothing() {
    let Some(_lab) = Lab::enter() else { return };
    let home = Home::new();
    let temporary = home.path().join("tmp");
    let started = home.path().join("started");
    fs::create_dir(&temporary).expect("a folder");
    let mut child = home
        .run(ENTER)
        .args(["sh", "-c", "touch started; exec sleep 1000"])
        .env("TMPDIR", &temporary)
        .command()
        .stdin(Stdio::null())
        .spawn()
        .expect("the lab");
    eventually("the command runs", || started.exists().then_some(()));
    kill_process(Pid::from_child(&child), Signal::TERM).expect("a signal");
    assert_eq!(child.wait().expect("an end").code(), Some(128 + 15));
    assert!(is_empty(&temporary));
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").next().is_none()
}
