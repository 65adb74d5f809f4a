//! `gocred exec -- CMD…`: gives one process tree its credentials, and leaves nothing behind.
//!
//! Three processes see to that. This one is the agent, has the netrc of old Go releases open in memory and
//! is the proxy; a keeper below it starts the command. Whichever of them is killed, another one ends every
//! process of the tree; when both are, the kernel ends the command. What they hold is in memory only: there
//! is no file, no socket with a name in a folder, and no keyring entry that could stay.

mod agent;
mod netrc;
mod watch;
mod wiring;

use std::{ffi::OsString, process::ExitCode};

use rustix::process::{Signal, getpid};
use tokio::{process::Command, runtime};

use crate::{
    cli::Exec,
    core::fault::{Fault, Kind},
    front::{Answer, Context, Outcome, exec::netrc::Netrc, sources, ui},
    sys::{family, memory_file::MemoryFile},
};

/// The words of the two processes below: what they are started with, before clap sees it.
pub const KEEPER: &str = "exec-keeper";
/// The process that becomes the command.
pub const COMMAND: &str = "exec-command";

/// Runs the command, and ends as it does.
pub fn run(arguments: &Exec, context: &Context) -> Outcome {
    let file = MemoryFile::new("netrc").ok().filter(|_| netrc::is_needed(context));
    let context = &wiring::context(context, file.as_ref());
    let _netrc = file.map(|file| Netrc::start(file, context));
    let agent = agent::start(context)?;
    let proxy = wiring::proxy(context)?;
    let variables = wiring::variables(context, agent.is_some(), proxy.as_ref())?;
    family::adopt().map_err(|error| broken("the command cannot be guarded", &error))?;
    let code = below(KEEPER, &arguments.command, &variables, None);
    sources::log_out(context);
    let code = code.map_err(|error| broken("the command cannot be started", &error))?;
    Ok(Answer::Exit(code))
}

/// Runs the keeper: starts the command, and ends what is left of it when the command, or who started the
/// keeper, has ended.
pub fn keep(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let parent = parent(arguments.next());
    if !family::die_with(parent, Signal::TERM) || family::adopt().is_err() {
        return ExitCode::from(Kind::Interrupted.exit_code());
    }
    let words: Vec<OsString> = arguments.collect();
    match below(COMMAND, &words, &[], Some(parent)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            ui::err(&format!("gocred: the command cannot be started: {error}"));
            ExitCode::from(Kind::Internal.exit_code())
        }
    }
}

/// Becomes the command.
pub fn command(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let parent = parent(arguments.next());
    if !family::die_with(parent, Signal::KILL) {
        return ExitCode::from(Kind::Interrupted.exit_code());
    }
    let words: Vec<OsString> = arguments.collect();
    let error = family::become_program(&words);
    let name = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    ui::err(&format!("gocred: {}: {error}", crate::core::text::printable(&name)));
    // What a shell says of a command that it does not find, or may not run.
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
}

/// Starts this very program as one of the processes below, and waits for its end and that of all others.
fn below(
    role: &str,
    words: &[OsString],
    variables: &[(String, OsString)],
    parent: Option<i32>,
) -> std::io::Result<u8> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        // Before there is anybody to pass a signal on to.
        let signals = watch::Signals::new()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role).arg(getpid().as_raw_nonzero().get().to_string()).args(words);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        watch::until_end(command.spawn()?, signals, parent).await
    });
    family::end();
    runtime.shutdown_background();
    code
}

fn parent(word: Option<OsString>) -> i32 {
    word.and_then(|word| word.to_str()?.parse().ok()).unwrap_or_default()
}

fn broken(what: &str, error: &std::io::Error) -> Fault {
    Fault::new(Kind::Internal, what).cause(error)
}
