//! A process that outlives this one, and its terminal.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Starts this very program with other arguments: without standard streams, and in no folder that
/// somebody may want to take away. It makes a session of its own ([`leave_terminal`]).
#[expect(clippy::disallowed_methods, reason = "nothing is awaited and nothing is captured")]
pub fn start_self(arguments: &[&str]) -> io::Result<()> {
    // macOS gives the link by which it was started, and under another name it is another program.
    let mut command = Command::new(std::env::current_exe()?.canonicalize()?);
    command.args(arguments).current_dir(Path::new("/"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}

/// Leaves the session of the terminal, whose end is then not ours.
#[cfg(unix)]
pub fn leave_terminal() {
    // Who leads a group already is started by somebody who has seen to it.
    let _ = rustix::process::setsid();
}

/// There is no such thing here.
#[cfg(not(unix))]
pub fn leave_terminal() {}
