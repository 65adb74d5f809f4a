//! An open tunnel: bytes both ways, half-closes kept, no memory while nothing moves.
//!
//! A silent tunnel is not closed: TCP keep-alive finds peers that are gone. Two kinds end: one that is
//! closed on one side and silent on the other, after a minute, and one that has stalled
//! ([`crate::proxy::stall`]), with a reset both ways: whoever waits has to notice.

use std::{
    io, mem,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::{Duration, Instant, sleep_until};

#[cfg(target_os = "linux")]
use crate::proxy::splice;
use crate::{
    net::wire::{BLOCK, Reader, Wire, Writer},
    proxy::{
        holder::{Ends, Holder, ends},
        stall::{Freight, Stalled},
        status::Meter,
    },
    sys::stderr::Stderr,
};

/// How long a half-closed tunnel may be silent (resilience-security.md §4).
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// How a tunnel ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// One side has reset it.
    ByClient,
    ByServer,
    /// The server has reset it within the handshake; a client that shows no more than that.
    CutOff(Option<(Holder, Stderr)>),
    /// Both sides have closed.
    Closed,
    /// One side has closed, and the other said nothing for a minute.
    Silent,
    /// The server keeps the client waiting.
    Stalled(Box<Stalled>),
    /// We were stopped.
    Stopped,
}

/// Moves bytes until both sides have closed, one breaks, a half-closed one falls silent, or the server
/// stalls.
pub(crate) async fn run(
    mut client: Wire,
    mut server: Wire,
    meter: &Meter,
    freight: &Arc<Freight>,
) -> Ended {
    meter.tunnels.fetch_add(1, Ordering::Relaxed);
    let _open = Open::new(&meter.tunnels_open);
    let up = Tally { bytes: &meter.bytes_up, own: freight, way: Direction::Up };
    let down = Tally { bytes: &meter.bytes_down, own: freight, way: Direction::Down };
    #[cfg(target_os = "linux")]
    {
        let early = (mem::take(&mut client.unread), mem::take(&mut server.unread));
        if let (Some(from), Some(to)) = (client.tcp(), server.tcp()) {
            let ended = {
                let up = pin!(splice::flow(from, early.0, to, up));
                let down = pin!(splice::flow(to, early.1, from, down));
                both(up, down, freight, || ends(from)).await
            };
            return close(ended, client, server);
        }
        (client.unread, server.unread) = early;
    }
    // What only few tunnels need is not in the task of each.
    Box::pin(copied(client, server, up, down)).await
}

/// The way of connections that are not plain TCP.
async fn copied(mut client: Wire, mut server: Wire, up: Tally<'_>, down: Tally<'_>) -> Ended {
    let (freight, ends) = (up.own, client.tcp().and_then(ends));
    let ended = {
        let (client_read, client_unread, client_write) = client.split();
        let (server_read, server_unread, server_write) = server.split();
        let (client_early, server_early) = (mem::take(client_unread), mem::take(server_unread));
        let up = pin!(copy(client_read, client_early, server_write, up));
        let down = pin!(copy(server_read, server_early, client_write, down));
        both(up, down, freight, || ends).await
    };
    close(ended, client, server)
}

/// Closes both connections, but for a stall: that is told first, and nobody shall take it for an end.
fn close(mut ended: Ended, client: Wire, server: Wire) -> Ended {
    if let Ended::Stalled(stalled) = &mut ended {
        stalled.wires = Some((client, server));
    }
    ended
}

/// Opens the standard error of a client before it notices.
async fn cut_off(freight: &Freight, ends: Option<Ends>) -> Option<(Holder, Stderr)> {
    let client = freight.watch.holders.patient(ends).await?;
    Some((client, client.stderr().await?))
}

/// Lets both directions flow to the end of the tunnel.
async fn both(
    mut up: Pin<&mut impl Future<Output = End>>,
    mut down: Pin<&mut impl Future<Output = End>>,
    freight: &Arc<Freight>,
    ends: impl Fn() -> Option<Ends>,
) -> Ended {
    let (mut up_ended, mut down_ended) = (false, false);
    let mut stalled = pin!(freight.stalled(&ends));
    while !(up_ended && down_ended) {
        let half_closed = up_ended || down_ended;
        let silent_at = freight.last() + HALF_CLOSED;
        let (end, reset) = tokio::select! {
            end = &mut up, if !up_ended => { up_ended = true; (end, Ended::ByClient) }
            end = &mut down, if !down_ended => { down_ended = true; (end, Ended::ByServer) }
            how = &mut stalled => return Ended::Stalled(Box::new(how)),
            () = sleep_until(silent_at), if half_closed => {
                if freight.last() + HALF_CLOSED <= Instant::now() { return Ended::Silent }
                continue
            }
        };
        let is_client = matches!(reset, Ended::ByClient);
        if is_client
            && end != End::Deaf
            && !down_ended
            && let Some(stalled) = freight.given_up()
        {
            return Ended::Stalled(Box::new(stalled));
        }
        match end {
            // What only few tunnels need is not in the task of each.
            End::Reset if !is_client && freight.is_in_handshake() => {
                return Ended::CutOff(Box::pin(cut_off(freight, ends())).await);
            }
            End::Reset => return reset,
            // What it said before, such as why it takes no more, is still on its way.
            End::Deaf | End::Passed => {}
        }
    }
    Ended::Closed
}

/// How one direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the end of what was sent, which was passed on.
    Passed,
    /// The receiver takes no more.
    Deaf,
    /// The sender is gone.
    Reset,
}

/// Copies one direction to its end, and passes the end on. A block of memory is there from the
/// moment bytes can be read until they are written.
async fn copy(from: Reader<'_>, early: Vec<u8>, mut to: Writer<'_>, tally: Tally<'_>) -> End {
    if to.write_all(&early).await.is_err() {
        return End::Deaf;
    }
    tally.count(early.len());
    drop(early);
    loop {
        if from.readable().await.is_err() {
            return End::Reset;
        }
        let mut block = Vec::with_capacity(BLOCK);
        loop {
            block.clear();
            let read = match from.try_read_buf(&mut block) {
                // A TLS upstream that closes without saying so: for a tunnel, an end like any other.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            };
            match read {
                Ok(0) => {
                    tally.count(0);
                    return if to.shutdown().await.is_ok() { End::Passed } else { End::Deaf };
                }
                Ok(length) => {
                    if to.write_all(&block).await.is_err() {
                        return End::Deaf;
                    }
                    tally.count(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return End::Reset,
            }
        }
    }
}

/// Where one direction counts what it moves.
#[derive(Clone, Copy)]
pub(crate) struct Tally<'a> {
    bytes: &'a AtomicU64,
    own: &'a Arc<Freight>,
    way: Direction,
}

/// Which way bytes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Tally<'_> {
    /// Counts bytes; none, when the end was passed on.
    pub(crate) fn count(self, length: usize) {
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        match self.way {
            Direction::Up => self.own.sent(length as u64),
            Direction::Down => self.own.answered(length as u64),
        }
    }

    /// Notes an end that a sender made; returns whether the other direction had one before.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_second_end(self) -> bool {
        self.own.is_second_end()
    }
}

/// Counts an open tunnel.
struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn new(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::{Freight, Meter, Wire, run};

    async fn wire() -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Wire::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap())
    }

    #[test]
    fn the_task_of_a_tunnel_is_small() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, server) = runtime.block_on(async { (wire().await, wire().await) });
        let (meter, freight) = (Meter::default(), Freight::new(&Arc::default()));
        let size = size_of_val(&run(client, server, &meter, &freight));
        assert!(size <= 1792, "{size} bytes");
    }
}
