//! A scripted HTTP server on loopback, that remembers every request.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request: its first line and its fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    fields: Vec<(String, String)>,
}

impl Request {
    /// Returns a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns whether it carries these Basic credentials, in `Authorization` or the proxy's field.
    pub(crate) fn is_signed(&self, basic: &str) -> bool {
        ["authorization", "proxy-authorization"]
            .iter()
            .any(|name| self.field(name) == Some(&format!("Basic {basic}")))
    }
}

/// The server. Its threads end with the test process.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts it. `answer` gives the status line's end and fields, such as
    /// `401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"`.
    pub(crate) fn start(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { address, seen }
    }

    /// Returns `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Returns every request so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("the log").clone()
    }

    /// Returns how many requests carried credentials.
    pub(crate) fn signed(&self) -> usize {
        let has = |request: &Request| {
            request.field("authorization").or(request.field("proxy-authorization")).is_some()
        };
        self.seen().iter().filter(|request| has(request)).count()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> String) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut stream = stream;
    while let Some(request) = read(&mut reader) {
        let head = answer(&request);
        log.lock().expect("the log").push(request);
        let bytes = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n");
        if stream.write_all(bytes.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let mut request = Request {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        fields: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(request) };
        request.fields.push((name.to_owned(), value.trim().to_owned()));
    }
}
