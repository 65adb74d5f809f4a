//! A command that keeps the terminal: standard input and output are ours, and its standard error passes
//! through us. Where ours is a terminal, it gets one, too, so that it draws its progress as always.
//!
//! What it says is read and not written: that is the caller's.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    },
    path::Path,
    process::{ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::{
    fs::OFlags,
    process::{Pid, Signal, getpgrp, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize},
};
use tokio::{
    process::{Child, Command},
    signal::unix::{Signal as Arriving, SignalKind, signal},
    sync::mpsc,
    time,
};

use crate::sys::tty;

/// What a shell says of an end by a signal: this and its number.
const SIGNALLED: i32 = 128;
/// How much is read at a time.
const BLOCK: usize = 16 * 1024;
/// How long its last words may be on their way after its end: a process that it left behind may hold its
/// standard error open.
const LAST: Duration = Duration::from_millis(50);

/// The command.
pub(super) struct Relay {
    child: Child,
    said: mpsc::UnboundedReceiver<Vec<u8>>,
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
pub(super) enum Heard {
    /// This came on its standard error.
    Said(Vec<u8>),
    /// It was silent for as long as was asked.
    Nothing,
    /// It has ended with this code; all that it said was heard.
    Ended(u8),
}

impl Relay {
    /// Starts it. Needs a runtime.
    pub(super) fn start(
        program: &Path,
        arguments: &[OsString],
        env: &[(&str, OsString)],
    ) -> io::Result<Self> {
        // Before there is anybody to pass a signal on to.
        let heeded = |which: Signal, kind| (!is_ignored(which)).then(|| signal(kind)).transpose();
        let (terminate, hangup) =
            (signal(SignalKind::terminate())?, heeded(Signal::HUP, SignalKind::hangup())?);
        let interrupt = heeded(Signal::INT, SignalKind::interrupt())?;
        let quit = heeded(Signal::QUIT, SignalKind::quit())?;
        let (ours, its) = if tty::stderr_is_terminal() { terminal()? } else { pipe()? };
        let mut command = Command::new(program);
        command.args(arguments).envs(env.iter().map(|(name, value)| (name, value)));
        let child = command.stderr(Stdio::from(its)).spawn()?;
        // It holds the other end, which must be the child's alone.
        drop(command);
        let (sender, said) = mpsc::unbounded_channel();
        thread::Builder::new().spawn(move || read(File::from(ours), &sender))?;
        Ok(Self {
            child,
            said,
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
    pub(super) async fn hear(&mut self, patience: Duration) -> io::Result<Heard> {
        loop {
            if let Some(code) = self.ended {
                let last = time::timeout(LAST, self.said.recv()).await.ok().flatten();
                return Ok(last.map_or(Heard::Ended(code), Heard::Said));
            }
            let arrived = tokio::select! {
                biased;
                said = self.said.recv(), if self.is_open => {
                    match said {
                        Some(bytes) => return Ok(Heard::Said(bytes)),
                        None => self.is_open = false,
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
    pub(super) fn is_told_to_end(&self) -> bool {
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

/// Reads to the end. What Linux says of a terminal that everybody has closed (EIO) is one, too.
fn read(mut from: File, to: &mpsc::UnboundedSender<Vec<u8>>) {
    let mut bytes = vec![0; BLOCK];
    loop {
        match from.read(&mut bytes) {
            Ok(size @ 1..) => {
                if to.send(bytes.get(..size).unwrap_or_default().to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
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
    let terminal = File::open("/dev/tty");
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
