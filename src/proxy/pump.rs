//! An open tunnel: bytes both ways, half-closes kept, no memory while nothing moves.
//!
//! A silent tunnel is not closed: TCP keep-alive finds peers that are gone. Only one that is closed
//! on one side and silent on the other ends after a minute.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::time::{Duration, Instant, sleep_until};

use crate::{
    net::wire::{BLOCK, Reader, Wire, Writer},
    proxy::status::Meter,
};

/// How long a half-closed tunnel may be silent (resilience-security.md §4).
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// Copies until both sides have closed, one breaks, or a half-closed one falls silent.
pub(crate) async fn run(mut client: Wire, mut server: Wire, meter: &Meter) {
    meter.tunnels.fetch_add(1, Ordering::Relaxed);
    let _open = Open::new(&meter.tunnels_open);
    let (client_read, client_unread, client_write) = client.split();
    let (server_read, server_unread, server_write) = server.split();
    let moved = Moved { start: Instant::now(), after: AtomicU64::new(0) };
    let up =
        flow(client_read, std::mem::take(client_unread), server_write, (&meter.bytes_up, &moved));
    let down =
        flow(server_read, std::mem::take(server_unread), client_write, (&meter.bytes_down, &moved));
    tokio::pin!(up, down);
    let (mut up_ended, mut down_ended) = (false, false);
    while !(up_ended && down_ended) {
        let half_closed = up_ended || down_ended;
        let silent_at = moved.last() + HALF_CLOSED;
        let end = tokio::select! {
            end = &mut up, if !up_ended => { up_ended = true; end }
            end = &mut down, if !down_ended => { down_ended = true; end }
            () = sleep_until(silent_at), if half_closed => {
                if moved.last() + HALF_CLOSED <= Instant::now() { return }
                continue
            }
        };
        match end {
            End::Reset => return,
            // What it said before, such as why it takes no more, is still on its way.
            End::Deaf | End::Passed => {}
        }
    }
}

/// How one direction ended.
enum End {
    /// With the end of what was sent, which was passed on.
    Passed,
    /// The receiver takes no more.
    Deaf,
    /// The sender is gone.
    Reset,
}

/// Copies one direction to its end, and passes the end on. A block of memory is there from the
/// moment bytes can be read until they are written.
async fn flow(
    from: Reader<'_>,
    early: Vec<u8>,
    mut to: Writer<'_>,
    (bytes, moved): (&AtomicU64, &Moved),
) -> End {
    let count = |length: usize| {
        bytes.fetch_add(length as u64, Ordering::Relaxed);
        moved.mark();
    };
    if to.write_all(&early).await.is_err() {
        return End::Deaf;
    }
    count(early.len());
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
                    moved.mark();
                    return if to.shutdown().await.is_ok() { End::Passed } else { End::Deaf };
                }
                Ok(length) => {
                    if to.write_all(&block).await.is_err() {
                        return End::Deaf;
                    }
                    count(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return End::Reset,
            }
        }
    }
}

/// When bytes moved last, in either direction.
struct Moved {
    start: Instant,
    /// In milliseconds.
    after: AtomicU64,
}

impl Moved {
    fn mark(&self) {
        let after = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.after.store(after, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.after.load(Ordering::Relaxed))
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
