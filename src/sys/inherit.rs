//! The sockets that a service manager opened for us (`sd_listen_fds(3)`).

use std::{io, net::TcpListener};

/// Returns the listeners that were handed over to this process; none is the usual case. Anything but
/// a TCP socket is an error. To be asked once.
#[cfg(unix)]
pub fn listeners() -> io::Result<Vec<TcpListener>> {
    // It reads LISTEN_FDS, and LISTEN_PID, so that what was meant for our parent is left alone.
    let mut given = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..given.len() {
        listeners.extend(given.take_tcp_listener(index)?);
    }
    Ok(listeners)
}

/// Returns none: only systemd hands sockets over like this.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub fn listeners() -> io::Result<Vec<TcpListener>> {
    Ok(Vec::new())
}
