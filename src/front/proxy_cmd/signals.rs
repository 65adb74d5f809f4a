//! The signals that end the proxy, and the one that makes it read its configuration anew.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(unix)]
use crate::sys::tty;

/// SIGTERM, SIGINT and SIGHUP.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    /// Not where a terminal controls us: its end is ours (or not, under nohup), as with any program.
    #[cfg(unix)]
    hangup: Option<Signal>,
    seen: Signalled,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signalled {
    /// To end.
    First,
    /// To end, and not to wait any longer.
    Again,
    /// To read the configuration anew.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no such signal"))]
    Reload,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn new() -> io::Result<Self> {
        let hangup = (!tty::is_controlled()).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: hangup.transpose()?,
            seen: Signalled::First,
        })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { seen: Signalled::First })
    }

    pub(super) async fn next(&mut self) -> Signalled {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = hung_up(&mut self.hangup) => return Signalled::Reload,
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        std::mem::replace(&mut self.seen, Signalled::Again)
    }
}

#[cfg(unix)]
async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
