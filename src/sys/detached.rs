//! A process that outlives this one, and its terminal.

use std::{
    fs::File,
    io,
    path::Path,
    process::{Child, Command, Stdio},
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

/// The same, with a file as standard input: a lock on it becomes the process's. The caller may wait for
/// its end.
#[expect(clippy::disallowed_methods, reason = "who starts it decides how long to wait")]
pub fn start_with(arguments: &[&str], input: File) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).current_dir(Path::new("/"));
    command.stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn()
}

/// Starts another program for a person to see: a browser. Nobody waits for it.
#[expect(clippy::disallowed_methods, reason = "nothing is awaited and nothing is captured")]
pub fn start(program: &Path, arguments: &[&str]) -> io::Result<()> {
    let mut command = Command::new(program);
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
