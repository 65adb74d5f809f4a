//! The sockets that a service manager opened for us (`sd_listen_fds(3)`).

use std::{io, net::TcpListener};

#[cfg(unix)]
pub use std::os::unix::net::UnixListener;

/// Nobody hands one over there.
#[cfg(not(unix))]
#[derive(Debug)]
pub enum UnixListener {}

/// What was handed over to this process; nothing is the usual case.
#[derive(Debug, Default)]
pub struct Inherited {
    /// TCP listeners.
    pub tcp: Vec<TcpListener>,
    /// Unix stream listeners.
    pub unix: Vec<UnixListener>,
}

/// Takes what was handed over. Anything but a TCP or a Unix stream socket is an error. To be asked
/// once.
#[cfg(unix)]
pub fn take() -> io::Result<Inherited> {
    // It reads LISTEN_FDS, and LISTEN_PID, so that what was meant for our parent is left alone.
    let mut given = listenfd::ListenFd::from_env();
    let mut inherited = Inherited::default();
    for index in 0..given.len() {
        // What is of another kind is left at its place.
        match given.take_unix_listener(index) {
            Ok(listener) => inherited.unix.extend(listener),
            Err(_) => inherited.tcp.extend(given.take_tcp_listener(index)?),
        }
    }
    Ok(inherited)
}

/// Returns nothing: only systemd hands sockets over like this.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub fn take() -> io::Result<Inherited> {
    Ok(Inherited::default())
}
