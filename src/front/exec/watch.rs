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

/// The signals that are passed on.
pub(super) struct Signals {
    child: Arriving,
    hangup: Arriving,
    interrupt: Arriving,
    quit: Arriving,
    terminate: Arriving,
    user1: Arriving,
    user2: Arriving,
}

impl Signals {
    /// Starts to receive them. Needs a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.child.recv() => Signal::CHILD,
            _ = self.hangup.recv() => Signal::HUP,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.quit.recv() => Signal::QUIT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.user1.recv() => Signal::USR1,
            _ = self.user2.recv() => Signal::USR2,
        }
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
