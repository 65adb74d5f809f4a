//! The door: who is let in, and who hears why not.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Duration, Instant, sleep},
};

use crate::{
    core::refusal::{Refusal, With},
    net::{
        dial,
        wire::{self, Wire},
    },
    proxy::{Callers, Shared, crowd::Seat, failure, record::Record, session},
    sys::peer::{self, Peer, Registry},
};

/// Strangers that are being told why, at a time; more are just closed.
const MAX_STRANGERS: usize = 64;

/// While clients come or ask, a timer rings this often, for nothing. tokio wakes itself, by a write to a
/// file, for every new timer that is due before all others; beside this one, those of a request never
/// are. Without clients it is silent.
const PULSE: Duration = Duration::from_millis(100);

/// How an admitted client is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// By its uid.
    Known,
    /// Not yet: it has to show the token.
    Unknown,
}

/// Accepts until a stop is asked for. Each client that is let in is served in a task of its own.
pub(crate) async fn run<S>(
    shared: Arc<Shared>,
    listener: TcpListener,
    serve: impl Fn(Wire, Seat, Caller) -> S,
) where
    S: Future<Output = ()> + Send + 'static,
{
    wire::prepare(&listener);
    // Who was in the queue before that has the options of before: with socket activation, always
    // somebody. The queue keeps its order: behind the first who has ours, everybody has.
    let mut older = true;
    let strangers = Arc::new(AtomicUsize::new(0));
    let address = listener.local_addr().ok().filter(|address| !address.ip().is_unspecified());
    let mut door = Door { address, registry: Registry::default(), own_uid: peer::own_uid() };
    let mut stop = pin!(shared.stop_asked());
    let (mut pulse, mut beats, mut came) = (pin!(sleep(PULSE)), false, false);
    let mut waits = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
            () = &mut pulse, if beats => {
                let before = std::mem::replace(&mut waits, shared.crowd.waits());
                (beats, came) = (came || waits != before, false);
                pulse.as_mut().reset(Instant::now() + PULSE);
                continue;
            }
        };
        came = true;
        if !beats {
            beats = true;
            pulse.as_mut().reset(Instant::now() + PULSE);
        }
        let Ok((stream, remote)) = accepted else {
            // No files left, or the client is gone again: neither may spin.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        match door.admit(shared.callers, &stream, remote) {
            Ok(caller) => {
                if let Some(seat) = shared.crowd.enter() {
                    older = older && !wire::is_prepared(&stream);
                    let client = if older { Wire::new(stream) } else { Wire::accepted(stream) };
                    tokio::spawn(serve(client, seat, caller));
                } else {
                    let refusal = failure::crowded(shared.crowd.len());
                    turn_away(&shared, &strangers, stream, refusal);
                }
            }
            Err(refusal) => turn_away(&shared, &strangers, stream, refusal),
        }
    }
}

/// What the question who is there takes.
struct Door {
    /// The one address of the listener, where it has one.
    address: Option<SocketAddr>,
    registry: Registry,
    own_uid: u32,
}

impl Door {
    /// Asks who is there, before a byte is read.
    fn admit(
        &mut self,
        callers: Callers,
        stream: &TcpStream,
        remote: SocketAddr,
    ) -> Result<Caller, Refusal> {
        match callers {
            Callers::Token => return Ok(Caller::Unknown),
            Callers::Uid => {}
        }
        let local = self.address.map_or_else(|| stream.local_addr(), Ok);
        let Ok(local) = local else { return Err(failure::stranger(None)) };
        match self.registry.owner(local, remote) {
            // A connection that was reset while it waited here still has its address, which another
            // socket may have by now: that one was asked for. While it lives, nobody else can.
            Peer::User(_) if stream.peer_addr().is_err() => Err(failure::stranger(None)),
            Peer::User(uid) if uid == self.own_uid => Ok(Caller::Known),
            Peer::User(uid) => Err(failure::stranger(Some(uid))),
            Peer::Gone => Err(failure::stranger(None)),
            // The first question needs a file of its own. Whoever asks could be told without one.
            Peer::Unknown(error) if dial::is_out_of_files(&error) => Err(failure::no_files()),
            Peer::Unknown(_) => Ok(Caller::Unknown),
        }
    }
}

fn turn_away(
    shared: &Arc<Shared>,
    strangers: &Arc<AtomicUsize>,
    stream: TcpStream,
    refusal: Refusal,
) {
    shared.tell.refused(&refusal);
    let mut record = Record::nothing(Caller::Unknown);
    record.refused(&refusal);
    shared.log.write(record);
    if strangers.fetch_add(1, Ordering::Relaxed) >= MAX_STRANGERS {
        strangers.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let strangers = Arc::clone(strangers);
    tokio::spawn(async move {
        session::say(&mut Wire::accepted(stream), &refusal.encode(With::Body)).await;
        strangers.fetch_sub(1, Ordering::Relaxed);
    });
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
    use tokio::net::{TcpListener, TcpSocket};

    use super::{Caller, Callers, Door, Registry, peer};

    #[tokio::test]
    async fn a_connection_that_is_dead_is_not_taken_for_the_living_one_of_the_same_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let from = |at: &str| {
            let socket = TcpSocket::new_v4().unwrap();
            set_socket_reuseaddr(&socket, true).unwrap();
            socket.bind(at.parse::<SocketAddr>().unwrap()).unwrap();
            socket
        };
        let first = from("127.0.0.1:0").connect(to).await.unwrap();
        let port = first.local_addr().unwrap();
        set_socket_linger(&first, Some(Duration::ZERO)).unwrap();
        drop(first);
        let _second = from(&port.to_string()).connect(to).await.unwrap();
        let mut door =
            Door { address: Some(to), registry: Registry::default(), own_uid: peer::own_uid() };
        let (dead, remote) = listener.accept().await.unwrap();
        assert_eq!(remote, port);
        assert!(door.admit(Callers::Uid, &dead, remote).is_err());
        let (alive, remote) = listener.accept().await.unwrap();
        assert_eq!(remote, port);
        assert_eq!(door.admit(Callers::Uid, &alive, remote).unwrap(), Caller::Known);
    }
}
