//! Questions to the person at the terminal. Ctrl-C at any of them ends with 130, the terminal as it
//! was, and nothing done.

use std::io;

use crate::{
    core::{
        fault::{Fault, Kind},
        secret::SecretString,
    },
    front::ui,
    sys::{env::Env, tty},
};

/// Returns whether there is somebody to ask.
pub(crate) fn is_attended(env: &Env) -> bool {
    tty::stdin_is_terminal() && tty::stderr_is_terminal() && !env.is_unattended()
}

/// Asks for a line.
pub(crate) fn line(question: &str) -> Result<String, Fault> {
    let question = question.to_owned();
    ask(move || tty::ask(&question), Typing::Shown)
}

/// Asks for a secret.
pub(crate) fn secret(question: &str) -> Result<SecretString, Fault> {
    let question = question.to_owned();
    ask(move || tty::ask_secret(&question), Typing::Hidden)
}

/// Asks for a yes; an empty answer is one.
pub(crate) fn consent(question: &str) -> Result<Consent, Fault> {
    let answer = line(&format!("{question} [Y/n] "))?;
    let is_yes = matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes");
    Ok(if is_yes { Consent::Given } else { Consent::Refused })
}

/// Runs what waits for something outside; Ctrl-C ends it, and nothing is done.
pub(crate) fn interruptible<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    await_or_interrupt(work, Typing::Shown, |error| {
        Fault::new(Kind::Internal, "the login failed").cause(error)
    })?
}

/// The answer to a question that has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Do it.
    Given,
    /// Leave it.
    Refused,
}

#[derive(Clone, Copy)]
enum Typing {
    Hidden,
    Shown,
}

fn ask<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
    typing: Typing,
) -> Result<T, Fault> {
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => interrupted(),
        _ => Fault::new(Kind::Usage, "the terminal cannot be asked")
            .cause(error)
            .hint("pass the secret on standard input with `--with-token`"),
    };
    let failed = |error| Fault::new(Kind::Internal, "the prompt failed").cause(error);
    await_or_interrupt(read, typing, failed)?.map_err(broken)
}

fn await_or_interrupt<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    typing: Typing,
    failed: impl FnOnce(tokio::task::JoinError) -> Fault,
) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::new(Kind::Internal, "no runtime").cause(error))?;
    let answer = runtime.block_on(async {
        let mut reading = tokio::task::spawn_blocking(work);
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => {
                // The reader of a hidden line restores the terminal before it returns.
                match typing {
                    Typing::Hidden => drop(reading.await),
                    // What follows begins on a line of its own.
                    Typing::Shown => ui::err(""),
                }
                Err(interrupted())
            }
            answer = &mut reading => answer.map_err(failed),
        }
    });
    // A reader of a shown line still waits for its newline.
    runtime.shutdown_background();
    answer
}

fn interrupted() -> Fault {
    Fault::new(Kind::Interrupted, "interrupted; nothing was changed")
}
