//! Child processes: an absolute program, no standard input but what is given, a deadline, and
//! captured output of bounded size. Never on the helper's `get`.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use secrecy::zeroize::Zeroizing;

/// At most this much of each output stream is kept, in bytes.
const MAX_OUTPUT: u64 = 1024 * 1024;

/// What a finished program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Runs a program to its end, for at most `limit`; then it is killed and the error is `TimedOut`.
/// Each variable of `env` is set, or removed where its value is `None`.
pub fn run(
    program: &Path,
    arguments: &[&OsStr],
    env: &[(&str, Option<&OsStr>)],
    input: &[u8],
    limit: Duration,
) -> io::Result<Output> {
    let mut command = command(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.spawn()?;
    let streams = feed(child.stdin.take(), input)
        .and_then(|()| Ok((collect(child.stdout.take())?, collect(child.stderr.take())?)));
    let (stdout, stderr) = match streams {
        Ok(streams) => streams,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    let code = wait(&mut child, limit)?;
    let receive = |stream: mpsc::Receiver<Vec<u8>>| stream.recv_timeout(limit).unwrap_or_default();
    Ok(Output { code, stdout: receive(stdout), stderr: receive(stderr) })
}

/// Finds a program by name in the folders of `path`, a PATH value. Relative folders are passed
/// over: the current folder may be an untrusted repository.
pub fn find(name: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

#[expect(clippy::disallowed_methods, reason = "this is the replacement")]
fn command(program: &Path) -> Command {
    Command::new(program)
}

/// Writes the input from a thread. `thread::spawn` would panic where no thread can be had.
fn feed(stdin: Option<impl Write + Send + 'static>, input: &[u8]) -> io::Result<()> {
    let input = Zeroizing::new(input.to_vec());
    let write = move || stdin.map(|mut stdin| stdin.write_all(&input));
    thread::Builder::new().spawn(write).map(drop)
}

fn collect(stream: Option<impl Read + Send + 'static>) -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        sender.send(bytes)
    })?;
    Ok(receiver)
}

/// Waits for the child in growing steps of at most 20 ms; std has no wait with a deadline.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<i32>> {
    let start = std::time::Instant::now();
    let mut step = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", limit.as_secs()),
            ));
        }
        thread::sleep(step);
        step = (step * 2).min(Duration::from_millis(20));
    }
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{ffi::OsStr, io, path::Path, time::Duration};

    use super::{find, run};

    fn sh(script: &str, limit: Duration) -> io::Result<super::Output> {
        run(
            Path::new("/bin/sh"),
            &[OsStr::new("-c"), OsStr::new(script)],
            &[("X", Some(OsStr::new("y")))],
            b"in",
            limit,
        )
    }

    #[test]
    fn output_input_and_environment_arrive() {
        let output = sh("cat; printf $X >&2; exit 3", Duration::from_secs(20)).unwrap();
        assert_eq!(
            (output.code, output.stdout, output.stderr),
            (Some(3), b"in".to_vec(), b"y".to_vec())
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = sh("exec sleep 1000", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn relative_folders_of_path_are_passed_over() {
        assert_eq!(find("sh", "bin:.:"), None);
        assert!(find("sh", "/nonexistent:/bin").is_some());
    }
}
