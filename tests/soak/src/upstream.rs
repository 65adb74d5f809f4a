//! A corporate proxy without a login, that can go down: tunnels lead to somebody who says the proxy's
//! name and sends everything back, requests get `hello`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
};

pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    name: char,
    /// One of so many tunnels is reset; 0: none.
    resets: u64,
    is_down: AtomicBool,
    served: AtomicU64,
    number: AtomicU64,
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Upstream {
    pub fn start(name: char, resets: u64) -> Self {
        let state = Arc::new(State {
            name,
            resets,
            is_down: AtomicBool::new(false),
            served: AtomicU64::new(0),
            number: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listen(listener, &state);
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has answered.
    pub fn served(&self) -> u64 {
        self.state.served.load(Relaxed)
    }

    /// Closes the port and every connection.
    pub fn down(&mut self) {
        self.state.is_down.store(true, Relaxed);
        // Wakes who listens there, who ends.
        let _ = TcpStream::connect(self.address);
        while TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
        let open = std::mem::take(&mut *self.state.open.lock().expect("its connections"));
        for stream in open.into_values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Opens the port again.
    pub fn up(&mut self) {
        self.state.is_down.store(false, Relaxed);
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(_) => thread::yield_now(),
            }
        };
        listen(listener, &self.state);
    }
}

fn listen(listener: TcpListener, state: &Arc<State>) {
    let state = Arc::clone(state);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if state.is_down.load(Relaxed) {
                return;
            }
            let number = state.number.fetch_add(1, Relaxed);
            let Ok(handle) = stream.try_clone() else { continue };
            state.open.lock().expect("its connections").insert(number, handle);
            let state = Arc::clone(&state);
            let served = thread::Builder::new().stack_size(128 * 1024).spawn(move || {
                let _ = serve(stream, &state, number);
                state.open.lock().expect("its connections").remove(&number);
            });
            served.expect("a thread");
        }
    });
}

fn serve(stream: TcpStream, state: &State, number: u64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(4096, stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut is_tunnel = false;
        let mut lines = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            is_tunnel |= lines == 0 && line.starts_with("CONNECT ");
            lines += 1;
            if line == "\r\n" {
                break;
            }
        }
        if is_tunnel {
            break;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")?;
        state.served.fetch_add(1, Relaxed);
    }
    let is_reset = state.resets != 0 && number.is_multiple_of(state.resets);
    let name = if is_reset { 'R' } else { state.name };
    stream.write_all(format!("HTTP/1.1 200 ok\r\n\r\n{name}").as_bytes())?;
    state.served.fetch_add(1, Relaxed);
    if is_reset {
        // Closed with unread bytes, a connection is reset (RFC 9112 §9.6).
        return stream.peek(&mut [0]).map(drop);
    }
    let mut block = vec![0; 32 * 1024];
    loop {
        let length = reader.read(&mut block)?;
        if length == 0 {
            return stream.shutdown(Shutdown::Write);
        }
        stream.write_all(&block[..length])?;
    }
}
