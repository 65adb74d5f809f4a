//! A command that keeps the terminal: standard input and output are ours, and its standard error passes
//! through us. Where ours is a terminal, it gets one, too, so that it draws its progress as always.
//!
//! What it says is read and not written: that is the caller's.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    },
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, getpgrp, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::{Child, Command},
    signal::unix::{Signal as Arriving, SignalKind, signal},
    time,
};

use crate::sys::tty;

/// What a shell says of an end by a signal: this and its number.
const SIGNALLED: i32 = 128;
/// How much is read at a time.
const BLOCK: usize = 16 * 1024;

/// The command.
pub struct Relay {
    child: Child,
    stream: AsyncFd<OwnedFd>,
    is_open: bool,
    ended: Option<u8>,
    interrupt: Option<Arriving>,
    quit: Option<Arriving>,
    terminate: Arriving,
    hangup: Option<Arriving>,
    /// Whether somebody asked it to end.
    is_told_to_end: bool,
}

/// What is heard of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// This came on its standard error.
    Said(Vec<u8>),
    /// It was silent for as long as was asked.
    Nothing,
    /// It has ended with this code; all that it said was heard.
    Ended(u8),
}

impl Relay {
    /// Starts it. Needs a runtime.
    pub fn start(
        program: &Path,
        arguments: &[OsString],
        env: &[(&str, OsString)],
    ) -> io::Result<Self> {
        // Before there is anybody to pass a signal on to.
        let heeded =
            |which: Signal, kind| (!is_ignored(which)).then(|| signal(kind)).transpose();
        let (terminate, hangup) =
            (signal(SignalKind::terminate())?, heeded(Signal::HUP, SignalKind::hangup())?);
        let interrupt = heeded(Signal::INT, SignalKind::interrupt())?;
        let quit = heeded(Signal::QUIT, SignalKind::quit())?;
        let (ours, its) = if tty::stderr_is_terminal() { terminal()? } else { pipe()? };
        fcntl_setfl(&ours, fcntl_getfl(&ours)? | OFlags::NONBLOCK)?;
        let mut command = Command::new(program);
        command.args(arguments).envs(env.iter().map(|(name, value)| (name, value)));
        let child = command.stderr(Stdio::from(its)).spawn()?;
        // It holds the other end, which must be the child's alone.
        drop(command);
        let stream = AsyncFd::register_with_interest(ours, Interest::READABLE)?;
        Ok(Self {
            child,
            stream,
            is_open: true,
            ended: None,
            interrupt,
            quit,
            terminate,
            hangup,
            is_told_to_end: false,
        })
    }

    /// Waits for what comes next.
    pub async fn hear(&mut self, patience: Duration) -> io::Result<Heard> {
        loop {
            if let Some(code) = self.ended {
                // A process that it left behind may hold its standard error: only what is there counts.
                let rest = read(self.stream.get_ref())?.filter(|bytes| !bytes.is_empty());
                return Ok(rest.map_or(Heard::Ended(code), Heard::Said));
            }
            let arrived = tokio::select! {
                biased;
                ready = self.stream.readable(), if self.is_open => {
                    let mut ready = ready?;
                    match read(self.stream.get_ref())? {
                        Some(bytes) if bytes.is_empty() => self.is_open = false,
                        Some(bytes) => return Ok(Heard::Said(bytes)),
                        None => ready.clear_ready(),
                    }
                    continue;
                }
                status = self.child.wait() => {
                    self.ended = Some(code(status?));
                    continue;
                }
                () = arrived(&mut self.interrupt) => Signal::INT,
                () = arrived(&mut self.quit) => Signal::QUIT,
                _ = self.terminate.recv() => Signal::TERM,
                () = arrived(&mut self.hangup) => Signal::HUP,
                () = time::sleep(patience) => return Ok(Heard::Nothing),
            };
            self.is_told_to_end = true;
            // A Ctrl-C has reached everybody in the foreground.
            let is_of_terminal = matches!(arrived, Signal::INT | Signal::QUIT);
            if !(is_of_terminal && is_in_foreground()) {
                self.pass_on(arrived);
            }
        }
    }

    /// Returns whether somebody asked it to end.
    pub fn is_told_to_end(&self) -> bool {
        self.is_told_to_end
    }

    fn pass_on(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }
}

async fn arrived(signal: &mut Option<Arriving>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn code(status: ExitStatus) -> u8 {
    let signalled = || status.signal().map(|number| SIGNALLED + number);
    let code = status.code().or_else(signalled).unwrap_or(SIGNALLED);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Reads what is there. `None`: nothing yet. No bytes: its end.
fn read(from: impl AsFd) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; BLOCK];
    match rustix::io::read(from, &mut bytes) {
        Ok(size) => {
            bytes.truncate(size);
            Ok(Some(bytes))
        }
        // What Linux says of a terminal that everybody has closed.
        Err(rustix::io::Errno::IO) => Ok(Some(Vec::new())),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, its) = io::pipe()?;
    Ok((ours.into(), its.into()))
}

/// Opens a terminal that passes every byte as it is and is as wide as ours. It controls nobody: Ctrl-C and
/// questions stay with the real one.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let name = name.to_str().map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
    let its = options.open(name)?;
    let mut modes = tcgetattr(&its)?;
    modes.make_raw();
    tcsetattr(&its, OptionalActions::Now, &modes)?;
    if let Ok(size) = tcgetwinsize(io::stderr()) {
        tcsetwinsize(&its, size)?;
    }
    // The child alone must hold its end, and none of its children ours.
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC)?;
    Ok((ours, its.into()))
}

/// Whether the terminal gives its signals to our process group.
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

#[cfg(target_os = "linux")]
fn is_ignored(signal: Signal) -> bool {
    crate::sys::family::ignores(signal)
}

#[cfg(not(target_os = "linux"))]
fn is_ignored(_signal: Signal) -> bool {
    false
}
