//! Tells that the machine's network has changed: another address, route or name server, a VPN that
//! came or went. It waits for the system's notices and never asks on its own; off Linux it has none.

#[cfg(target_os = "linux")]
pub use linux::Changes;
#[cfg(not(target_os = "linux"))]
pub use other::Changes;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The resolver's file, and addresses or routes.
    Both,
    /// The resolver's file.
    Names,
    /// Addresses or routes.
    Routes,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{future::pending, io, os::fd::AsRawFd, time::Duration};

    use tokio::{
        io::{Interest, unix::AsyncFd},
        time::{Instant, timeout_at},
    };

    use super::Change;
    use crate::sys::{
        netview::{RESOLV_CONF, View},
        netwatch::{Files, Notices},
    };

    /// A change is told once nothing has happened for this long,
    const QUIET: Duration = Duration::from_millis(250);
    /// but not later than this after its first notice.
    const LATEST: Duration = Duration::from_secs(1);

    /// The changes of the network, one after the other.
    #[derive(Debug)]
    pub struct Changes {
        /// `None`: the system refuses it, as some containers do, and the other has to do.
        notices: Option<AsyncFd<Notices>>,
        files: Option<AsyncFd<Files>>,
        seen: View,
        /// When the first notice came of what is not told yet.
        since: Option<Instant>,
    }

    impl Changes {
        /// Starts to listen, within a runtime. What is told is different from now.
        pub fn new() -> io::Result<Self> {
            let notices = Notices::new().ok().map(register).transpose()?;
            let files = Files::new(RESOLV_CONF).ok().map(register).transpose()?;
            Ok(Self { notices, files, seen: View::now(), since: None })
        }

        /// Waits for the next change. It may be cancelled; nothing is lost.
        pub async fn next(&mut self) -> Change {
            loop {
                let since = match self.since {
                    Some(since) => since,
                    None => self.noticed().await,
                };
                self.since = Some(since);
                let latest = since + LATEST;
                while Instant::now() < latest {
                    let quiet = latest.min(Instant::now() + QUIET);
                    if timeout_at(quiet, self.noticed()).await.is_err() {
                        break;
                    }
                }
                self.since = None;
                if let Some(change) = self.look() {
                    return change;
                }
            }
        }

        async fn noticed(&self) -> Instant {
            tokio::select! {
                () = readable(self.notices.as_ref(), Notices::drain) => {}
                () = readable(self.files.as_ref(), Files::drain) => {}
            }
            Instant::now()
        }

        fn look(&mut self) -> Option<Change> {
            if let Some(files) = &mut self.files {
                files.get_mut().follow();
            }
            let seen = std::mem::replace(&mut self.seen, View::now());
            match (seen.routes != self.seen.routes, seen.names != self.seen.names) {
                (false, false) => None,
                (false, true) => Some(Change::Names),
                (true, false) => Some(Change::Routes),
                (true, true) => Some(Change::Both),
            }
        }
    }

    #[expect(deprecated, reason = "its successor is unsafe; both sources keep their descriptor")]
    fn register<T: AsRawFd>(source: T) -> io::Result<AsyncFd<T>> {
        AsyncFd::with_interest(source, Interest::READABLE)
    }

    async fn readable<T: AsRawFd>(source: Option<&AsyncFd<T>>, drain: impl Fn(&T)) {
        let Some(source) = source else { return pending().await };
        match source.readable().await {
            Ok(mut guard) => {
                drain(source.get_ref());
                guard.clear_ready();
            }
            // The runtime is ending.
            Err(_) => pending().await,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{future::pending, io};

    use super::Change;

    /// The changes of the network, of which nothing is known here.
    #[derive(Debug)]
    pub struct Changes(());

    impl Changes {
        /// Starts to listen.
        pub fn new() -> io::Result<Self> {
            Ok(Self(()))
        }

        /// Waits for ever.
        pub async fn next(&mut self) -> Change {
            pending().await
        }
    }
}
