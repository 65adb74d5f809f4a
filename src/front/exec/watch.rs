//! Waits for a child, and passes signals on to it.

use std::io;

use rustix::process::Signal;
use tokio::{
    process::Child,
    signal::unix::{Signal as Arriving, SignalKind, signal},
};

use crate::sys::family;

/// What is told of an end by a signal: the code that shells have for it is this and its number.
const SIGNALLED: i32 = 128;

/// The signals that are passed on, but for those that are ignored already: they stay so below.
pub(super) struct Signals {
    child: Arriving,
    terminate: Arriving,
    hangup: Option<Arriving>,
    interrupt: Option<Arriving>,
    quit: Option<Arriving>,
    user1: Option<Arriving>,
    user2: Option<Arriving>,
}

impl Signals {
    /// Starts to receive them. Needs a runtime.
    pub(super) fn new() -> io::Result<Self> {
        let heeded =
            |which: Signal, kind| (!family::ignores(which)).then(|| signal(kind)).transpose();
        Ok(Self {
            child: signal(SignalKind::child())?,
            // The kernel says with it that who started us has ended.
            terminate: signal(SignalKind::terminate())?,
            hangup: heeded(Signal::HUP, SignalKind::hangup())?,
            interrupt: heeded(Signal::INT, SignalKind::interrupt())?,
            quit: heeded(Signal::QUIT, SignalKind::quit())?,
            user1: heeded(Signal::USR1, SignalKind::user_defined1())?,
            user2: heeded(Signal::USR2, SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.child.recv() => Signal::CHILD,
            _ = self.terminate.recv() => Signal::TERM,
            () = arrived(&mut self.hangup) => Signal::HUP,
            () = arrived(&mut self.interrupt) => Signal::INT,
            () = arrived(&mut self.quit) => Signal::QUIT,
            () = arrived(&mut self.user1) => Signal::USR1,
            () = arrived(&mut self.user2) => Signal::USR2,
        }
    }
}

async fn arrived(signal: &mut Option<Arriving>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Waits for the end of a child, and returns its code; or for that of our own parent.
pub(super) async fn until_end(
    mut child: Child,
    mut signals: Signals,
    parent: Option<i32>,
) -> io::Result<u8> {
    let pid = child.id().unwrap_or_default();
    loop {
        let arrived = tokio::select! {
            status = child.wait() => {
                use std::os::unix::process::ExitStatusExt;
                let status = status?;
                let signalled = || status.signal().map(|number| SIGNALLED + number);
                let code = status.code().or_else(signalled).unwrap_or(SIGNALLED);
                return Ok(u8::try_from(code).unwrap_or(u8::MAX));
            }
            arrived = signals.next() => arrived,
        };
        match arrived {
            // Who has no parent to watch has started programs of its own, and waits for them itself.
            Signal::CHILD if parent.is_none() => {}
            Signal::CHILD => family::collect(pid),
            // The kernel says so when it ends; and nobody else may say so for it.
            _ if parent.is_some_and(|parent| !family::is_child_of(parent)) => {
                return Ok(u8::try_from(SIGNALLED + Signal::KILL.as_raw()).unwrap_or(u8::MAX));
            }
            Signal::INT | Signal::QUIT if family::is_in_foreground() => {}
            other => family::signal(pid, other),
        }
    }
}
