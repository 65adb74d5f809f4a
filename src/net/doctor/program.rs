//! Runs a program of the user's own settings: with a deadline, without a terminal, and with nothing
//! left of it afterwards.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::{Instant, timeout_at},
};

use crate::{
    core::doctor::{private::Private, probe::Ran},
    net::doctor::{since, until},
    sys::{env::Env, run},
};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How much of each of its outputs is read.
const MAX: u64 = 64 * 1024;

/// Runs it.
pub(super) async fn run(
    command: &[String],
    input: &str,
    variables: &[(String, String)],
    deadline: Instant,
) -> Ran {
    let start = Instant::now();
    let mut ran = Ran::default();
    let Some((program, arguments)) = command.split_first() else { return ran };
    let Some(program) = found(program) else { return ran };
    let mut program = Command::new(program);
    program
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // A group of its own: what it started ends with it.
    #[cfg(unix)]
    program.process_group(0);
    let Ok(mut child) = program.spawn() else { return ran };
    ran.started = true;
    let ended = timeout_at(until(deadline, LIMIT), talk(&mut child, input)).await;
    if ended.is_err() {
        end(&child);
    }
    ran.took = since(start);
    if let Ok((code, output, error)) = ended {
        ran.code = code;
        ran.output = Private::new(output);
        ran.error = error;
    }
    ran
}

/// Finds a name in PATH, without its relative folders: the current one may be an untrusted repository.
fn found(program: &str) -> Option<PathBuf> {
    if cfg!(windows) || program.contains('/') {
        return Some(program.into());
    }
    run::find(program, Env::take().text("PATH")?)
}

async fn talk(child: &mut Child, input: &str) -> (Option<i32>, String, String) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // Who does not read it has no use for it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let output = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            let _ = stdout.take(MAX).read_to_end(&mut bytes).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let error = async {
        let mut bytes = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(MAX).read_to_end(&mut bytes).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let ((), output, error) = tokio::join!(write, output, error);
    let code = child.wait().await.ok().and_then(code);
    (code, output, error)
}

/// Returns the exit code; for who died of a signal, the one that a shell gives (POSIX `sh`, 2.8.2): `None` is kept for
/// who was still running.
#[cfg(unix)]
fn code(status: std::process::ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

#[cfg(not(unix))]
fn code(status: std::process::ExitStatus) -> Option<i32> {
    status.code()
}

#[cfg(unix)]
fn end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The child itself is ended when it is dropped.
#[cfg(not(unix))]
fn end(_: &Child) {}
