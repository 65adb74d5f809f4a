//! Tells the service manager how far we are (`sd_notify(3)`).

use crate::sys::env::Env;

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Clients are served; also the end of [`Self::Reloading`].
    Ready,
    /// The configuration is being read anew.
    Reloading,
    /// The end has begun.
    Stopping,
}

impl State {
    #[cfg(unix)]
    fn message(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1",
            Self::Reloading => b"RELOADING=1",
            Self::Stopping => b"STOPPING=1",
        }
    }
}

/// Tells the service manager, if one wants to know. Best effort: nobody waits for us forever.
#[cfg(unix)]
pub fn tell(state: State, env: &Env) {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(name) = env.text("NOTIFY_SOCKET") else { return };
    #[cfg(target_os = "linux")]
    let address = match name.strip_prefix('@') {
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    #[cfg(not(target_os = "linux"))]
    let address = SocketAddr::from_pathname(name);
    let sent: std::io::Result<usize> = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(state.message(), &address)
    });
    let _ = sent;
}

/// Tells nobody: there is no such manager.
#[cfg(not(unix))]
pub fn tell(_state: State, _env: &Env) {}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::{State, tell};
    use crate::sys::env::Env;

    #[test]
    fn the_state_arrives_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let env = Env::of(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        for (state, message) in [
            (State::Ready, "READY=1"),
            (State::Reloading, "RELOADING=1"),
            (State::Stopping, "STOPPING=1"),
        ] {
            tell(state, &env);
            let mut bytes = [0; 64];
            let length = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], message.as_bytes());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_state_arrives_at_an_abstract_name() {
        let name = format!("gocred-test-{}", std::process::id());
        let address =
            <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let name = format!("@{name}");
        tell(State::Ready, &Env::of(&[("NOTIFY_SOCKET", &name)]));
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"READY=1");
    }

    #[test]
    fn a_manager_that_is_gone_or_never_was_stops_nobody() {
        tell(State::Ready, &Env::of(&[]));
        tell(State::Ready, &Env::of(&[("NOTIFY_SOCKET", "/nonexistent/notify")]));
    }
}
