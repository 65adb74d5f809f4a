//! What tokio panics without: descriptors and a first thread at the start of a daemon, and a thread as
//! long as it runs. A system that gives none is no bug of ours, and the daemon says so.

use std::{io, sync::mpsc, thread};

use tokio::task::spawn_blocking;

/// Returns whether a runtime can start: it takes six descriptors, of which two are a socket pair for
/// signals, and a thread. To be asked right before it does.
pub fn look() -> io::Result<()> {
    #[cfg(unix)]
    {
        let pair = std::os::unix::net::UnixStream::pair;
        let _pairs = [pair()?, pair()?, pair()?];
    }
    // It ends at once.
    thread::Builder::new().spawn(|| ()).map(drop)
}

/// Keeps a thread for blocking work until the value is dropped. While there is one, work that the system
/// gives no further thread for waits, and is done later; without one, tokio panics.
pub(super) fn keep_thread() -> mpsc::Sender<()> {
    let (kept, is_over) = mpsc::channel::<()>();
    spawn_blocking(move || is_over.recv().is_ok());
    kept
}
