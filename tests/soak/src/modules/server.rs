//! A module proxy that fails: some answers are a 503, some a reset before the first byte or within the
//! answer. Which ones, the path and how often it was asked decide: the same run fails the same way.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use super::{FAILING, file};

/// A server; its threads end with the process.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How often each path was asked in this run.
    run: Mutex<(u64, HashMap<String, u64>)>,
    asked: AtomicU64,
    failed: AtomicU64,
}

/// What becomes of an answer.
enum Fate {
    Good,
    Busy,
    /// A reset, before the answer or within it.
    Reset,
    Torn,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<State>::default();
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                let thread = thread::Builder::new().stack_size(128 * 1024);
                thread.spawn(move || serve(stream, &state)).expect("a thread");
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A run begins.
    pub fn begin(&self, run: u64) {
        *self.state.run.lock().expect("the run") = (run, HashMap::new());
    }

    /// Returns how many requests came.
    pub fn asked(&self) -> u64 {
        self.state.asked.load(Relaxed)
    }

    /// Returns how many of them failed.
    pub fn failed(&self) -> u64 {
        self.state.failed.load(Relaxed)
    }
}

impl State {
    fn fate(&self, path: &str) -> Fate {
        let mut guard = self.run.lock().expect("the run");
        let (run, times) = &mut *guard;
        let time = times.entry(path.to_owned()).or_default();
        *time += 1;
        // FNV-1a, stirred as SplitMix64 does.
        let seed = path.bytes().chain(run.to_le_bytes()).chain(time.to_le_bytes());
        let mut hash = seed.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        self.asked.fetch_add(1, Relaxed);
        if hash % 1000 >= FAILING {
            return Fate::Good;
        }
        self.failed.fetch_add(1, Relaxed);
        match hash >> 62 {
            0 | 1 => Fate::Busy,
            2 => Fate::Reset,
            _ => Fate::Torn,
        }
    }
}

fn serve(mut stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut block = [0; 4096];
    loop {
        // Only looked at: closed with unread bytes, a connection is reset (RFC 9112 §9.6).
        let length = stream.peek(&mut block)?;
        let head = block.get(..length).unwrap_or_default();
        if length == 0 {
            return Ok(());
        }
        let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else {
            thread::yield_now();
            continue;
        };
        let head = String::from_utf8_lossy(head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let answer = match state.fate(path) {
            Fate::Good => whole(path),
            Fate::Busy => b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nbusy\n".to_vec(),
            Fate::Reset => return Ok(()),
            Fate::Torn => {
                let answer = whole(path);
                return stream.write_all(answer.get(..answer.len() - 20).unwrap_or_default());
            }
        };
        io::Read::read_exact(&mut stream, block.get_mut(..end + 4).unwrap_or_default())?;
        stream.write_all(&answer)?;
    }
}

fn whole(path: &str) -> Vec<u8> {
    let body = file(path);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut answer = head.into_bytes();
    answer.extend(body);
    answer
}
