//! A long way: a relay through which every byte takes half a round trip, and every connection one more
//! round trip, as the handshake of TCP does.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Builder,
    spawn,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::sleep_until,
};

/// Starts one in a thread of its own, which ends with the process. Returns where it counts connections.
pub fn start(listen: SocketAddr, to: SocketAddr, round_trip: Duration) -> Arc<AtomicUsize> {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let listener = std::net::TcpListener::bind(listen).expect("a port");
    listener.set_nonblocking(true).expect("not blocking");
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                spawn(relay(client, to, round_trip));
            }
        });
    });
    connections
}

async fn relay(client: TcpStream, to: SocketAddr, round_trip: Duration) -> io::Result<()> {
    let open = Instant::now() + round_trip;
    let server = TcpStream::connect(to).await?;
    for end in [&client, &server] {
        end.set_nodelay(true)?;
    }
    let ((client_read, client_write), (server_read, server_write)) =
        (client.into_split(), server.into_split());
    pipe(client_read, server_write, open, round_trip / 2);
    pipe(server_read, client_write, open, round_trip / 2);
    Ok(())
}

/// Moves bytes one way; each arrives `half` after it was sent, and none was sent before `open`.
fn pipe(read: OwnedReadHalf, mut write: OwnedWriteHalf, open: Instant, half: Duration) {
    let (sender, mut receiver) = unbounded_channel::<(Instant, Vec<u8>)>();
    spawn(take(read, sender, open, half));
    spawn(async move {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due.into()).await;
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    });
}

async fn take(
    mut read: OwnedReadHalf,
    sender: UnboundedSender<(Instant, Vec<u8>)>,
    open: Instant,
    half: Duration,
) {
    loop {
        let mut bytes = Vec::with_capacity(64 * 1024);
        if !matches!(read.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
        if sender.send((Instant::now().max(open) + half, bytes)).is_err() {
            return;
        }
    }
}
