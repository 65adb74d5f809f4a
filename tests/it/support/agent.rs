//! A running agent.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::home::Run;

/// A running `gocred agent run`, ended with the test.
pub(crate) struct Agent {
    pub(crate) child: Child,
}

impl Agent {
    /// Starts `gocred`, prepared for its home and keyring, and waits until it answers.
    pub(crate) fn start(gocred: Run) -> Self {
        let mut command = gocred.args(["agent", "run"]).command();
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("gocred agent run");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.starts_with("answering at "), "{line:?}");
        Self { child }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
