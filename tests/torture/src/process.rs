//! A program that is run to its end, or to the end of our patience.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// What is left of it.
#[derive(Debug, Default)]
pub struct Finished {
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub took: Duration,
    /// Whether it did not end by itself.
    pub hung: bool,
}

impl Finished {
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// What to do once a daemon has said its first line, up to its end.
pub type Drive<'a> = &'a (dyn Fn(&str) + Sync);

/// Runs a program with its input. At the limit it is killed, with its process group.
pub fn finish(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    drive: Option<Drive<'_>>,
) -> Finished {
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    let mut stderr = child.stderr.take().expect("stderr");
    thread::scope(|scope| {
        // A program may end without reading its input.
        scope.spawn(move || drop(stdin.write_all(input)));
        let (sender, line) = mpsc::channel();
        let out = scope.spawn(move || {
            let mut out = Vec::new();
            let _ = stdout.read_until(b'\n', &mut out);
            let _ = sender.send(String::from_utf8_lossy(&out).into_owned());
            let _ = stdout.read_to_end(&mut out);
            out
        });
        let err = scope.spawn(move || {
            let mut err = Vec::new();
            let _ = stderr.read_to_end(&mut err);
            err
        });
        if let Some(drive) = drive {
            scope.spawn(move || {
                // One that cannot say it may run nevertheless.
                let line = line.recv_timeout(Duration::from_secs(3)).unwrap_or_default();
                drive(line.trim_end());
            });
        }
        let status = wait(&mut child, limit);
        let took = start.elapsed();
        Finished {
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
            out: out.join().expect("stdout"),
            err: err.join().expect("stderr"),
            took,
            hung: status.is_none(),
        }
    })
}

/// Runs a program that must succeed, and returns its standard output.
pub fn done(command: Command, input: &str) -> String {
    let name = format!("{command:?}");
    let finished = finish(command, input.as_bytes(), Duration::from_secs(60), None);
    assert_eq!(finished.code, Some(0), "{name}: {}", finished.err());
    finished.out()
}

/// Sends a signal; whoever is gone needs none.
pub fn signal(name: &str, to: impl std::fmt::Display) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("kill -s {name} -- {to}")]).stderr(Stdio::null());
    let _ = shell.status();
}

/// Waits for something to become so.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{what}: not within 30 s");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for the end. `None`: the limit passed, and the process group was killed.
fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let start = Instant::now();
    let mut step = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        if start.elapsed() > limit {
            signal("KILL", format!("-{}", child.id()));
            child.wait().expect("a child");
            return None;
        }
        thread::sleep(step);
        step = (step * 2).min(Duration::from_millis(5));
    }
}
