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
const MAX_OUTPUT: usize = 1024 * 1024;
/// How much is read at a time.
const BLOCK: usize = 8192;

/// What a finished program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, which may be secret.
    pub stdout: Zeroizing<Vec<u8>>,
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
    command.args(arguments);
    for (name, value) in env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    finish(command, input, limit)
}

/// The same with these variables and no other, in the root folder: a program that somebody else wrote
/// into the configuration sees no secret of the environment, and no project. At the limit, what it has
/// started is ended with it.
pub fn alone(
    program: &Path,
    arguments: &[&OsStr],
    env: &[(&str, &OsStr)],
    input: &[u8],
    limit: Duration,
) -> io::Result<Output> {
    let mut command = command(program);
    command.args(arguments).env_clear().envs(env.iter().copied());
    command.current_dir(if cfg!(windows) { "C:\\" } else { "/" });
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    finish(command, input, limit)
}

fn finish(mut command: Command, input: &[u8], limit: Duration) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
    let receive = |stream: mpsc::Receiver<_>| stream.recv_timeout(limit).unwrap_or_default();
    let (stdout, mut stderr): (_, Zeroizing<Vec<u8>>) = (receive(stdout), receive(stderr));
    Ok(Output { code, stdout, stderr: std::mem::take(&mut *stderr) })
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

fn collect(
    stream: Option<impl Read + Send + 'static>,
) -> io::Result<mpsc::Receiver<Zeroizing<Vec<u8>>>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BLOCK));
        if let Some(stream) = stream {
            read(stream, &mut bytes);
        }
        sender.send(bytes)
    })?;
    Ok(receiver)
}

/// Reads to the end. A buffer that becomes too small is wiped, which `Vec` does not do.
fn read(mut stream: impl Read, bytes: &mut Zeroizing<Vec<u8>>) {
    let mut block = Zeroizing::new([0; BLOCK]);
    while bytes.len() < MAX_OUTPUT {
        let count = match stream.read(block.as_mut_slice()) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if bytes.len() + count > bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(bytes.capacity() * 4));
            larger.extend_from_slice(bytes);
            *bytes = larger;
        }
        bytes.extend_from_slice(block.get(..count).unwrap_or_default());
    }
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
            kill(child)?;
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

/// Kills a child, and the process group that it leads, where it does.
fn kill(child: &mut Child) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, getpgid, kill_process_group};
        let pid = Pid::from_child(child);
        if getpgid(Some(pid)).is_ok_and(|group| group == pid) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
    child.kill()
}

#[cfg(unix)]
pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{ffi::OsStr, io, path::Path, time::Duration};

    use super::{alone, find, run};

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
            (output.code, output.stdout.as_slice(), output.stderr),
            (Some(3), &b"in"[..], b"y".to_vec())
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = sh("exec sleep 1000", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn one_that_is_alone_sees_what_it_is_given_and_ends_with_what_it_started() {
        let alone = |script: &str, limit| {
            let words = [OsStr::new("-c"), OsStr::new(script)];
            alone(Path::new("/bin/sh"), &words, &[("X", OsStr::new("y"))], b"", limit)
        };
        let output = alone("echo $X $HOME$CARGO_PKG_NAME; pwd", Duration::from_secs(20)).unwrap();
        assert_eq!(output.stdout.as_slice(), b"y\n/\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{}; wait", file.display());
        assert!(alone(&script, Duration::from_millis(500)).is_err());
        let pid = std::fs::read_to_string(file).unwrap();
        let is_gone = || !Path::new("/proc").join(pid.trim()).join("exe").exists();
        let start = std::time::Instant::now();
        while !is_gone() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(is_gone());
    }

    #[test]
    fn much_output_is_read_whole_up_to_the_limit() {
        for (count, length) in [(100_000, 100_000), (3_000_000, super::MAX_OUTPUT)] {
            let output = sh(&format!("head -c {count} /dev/zero"), Duration::from_secs(20));
            let length_is = output.unwrap().stdout.len();
            assert!((length..length + super::BLOCK).contains(&length_is), "{length_is}");
        }
    }

    #[test]
    fn relative_folders_of_path_are_passed_over() {
        assert_eq!(find("sh", "bin:.:"), None);
        assert!(find("sh", "/nonexistent:/bin").is_some());
    }
}
