//! A module proxy of which one answer in ten is a 503 or a reset, and that counts what it is asked.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    spawn,
};

/// A server; its thread ends with the process.
pub struct Flaky {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    folder: PathBuf,
    fails: AtomicBool,
    requests: AtomicU64,
    random: AtomicU64,
}

impl Flaky {
    /// Starts one that does not fail yet.
    pub fn start(folder: &Path) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            folder: folder.to_owned(),
            fails: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            random: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
        });
        let served = Arc::clone(&state);
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                while let Ok((client, _)) = listener.accept().await {
                    spawn(serve(client, Arc::clone(&served)));
                }
            });
        });
        Self { address, state }
    }

    /// From now on, one answer in ten fails.
    pub fn fail(&self) {
        self.state.fails.store(true, Ordering::Relaxed);
    }

    /// Returns how many requests came since it was asked last.
    pub fn requests(&self) -> u64 {
        self.state.requests.swap(0, Ordering::Relaxed)
    }
}

impl State {
    /// Xorshift, the same in every run.
    fn random(&self) -> u64 {
        let mut random = self.random.load(Ordering::Relaxed);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.store(random, Ordering::Relaxed);
        random >> 11
    }
}

async fn serve(mut client: TcpStream, state: Arc<State>) {
    let _ = client.set_nodelay(true);
    let mut unread = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !matches!(client.read_buf(&mut unread).await, Ok(1..)) {
                return;
            }
        };
        let head: Vec<u8> = unread.drain(..end).collect();
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
        state.requests.fetch_add(1, Ordering::Relaxed);
        let number = state.random();
        if state.fails.load(Ordering::Relaxed) && number % 10 == 0 {
            if number % 20 == 0 {
                let _ = rustix::net::sockopt::set_socket_linger(
                    &client,
                    Some(std::time::Duration::ZERO),
                );
                return;
            }
            let busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nbusy\n";
            if client.write_all(busy).await.is_err() {
                return;
            }
            continue;
        }
        let (status, body) = match fs::read(state.folder.join(path)) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", b"not found\n".to_vec()),
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut answer = answer.into_bytes();
        answer.extend(body);
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}
