//! A scripted HTTP server on loopback, that remembers every request.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{home::Home, tls};

/// A request: its first line, its fields, and its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
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
    /// `401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"`, and behind an empty line the body.
    pub(crate) fn start(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        Self::serve(None, move |request| answer(request).into_bytes())
    }

    /// Starts it behind TLS, with the certificate for 127.0.0.1 that [`certificate`] made.
    pub(crate) fn tls(
        home: &Home,
        answer: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> Self {
        let config = tls::config(home.path(), "server");
        Self::serve(Some(config), move |request| answer(request).into_bytes())
    }

    /// Starts it behind TLS or without. The answers are as those of [`Self::start`], whatever the body is.
    pub(crate) fn serve(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                let tls = tls.clone();
                thread::spawn(move || match tls {
                    None => serve(stream, &log, &*answer),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("a session");
                        serve(StreamOwned::new(session, stream), &log, &*answer);
                    }
                });
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
            ["authorization", "proxy-authorization"]
                .iter()
                .any(|name| request.field(name).is_some())
        };
        self.seen().iter().filter(|request| has(request)).count()
    }
}

/// Makes `ca.pem`, and with it `server.pem` and `server.key` for 127.0.0.1. `None`: skipped.
#[must_use]
pub(crate) fn certificate(home: &Home) -> Option<()> {
    let openssl = super::program("openssl", "openssl")?;
    home.write("san", "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:false\n");
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Corp",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=h",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 \
         -extfile san",
    ] {
        home.run(&openssl).args(line.split_whitespace()).output().success();
    }
    Some(())
}

fn serve(
    stream: impl Read + Write,
    log: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Vec<u8>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let answer = answer(&request);
        log.lock().expect("the log").push(request);
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.unwrap_or(answer.len()));
        let body = body.get(4..).unwrap_or_default();
        let length = format!("\r\nContent-Length: {}\r\n\r\n", body.len());
        let bytes = [b"HTTP/1.1 ", head, length.as_bytes(), body].concat();
        if stream.get_mut().write_all(&bytes).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let method = words.next()?.to_owned();
    let mut request = Request { method, target: words.next()?.to_owned(), ..Request::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.fields.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = request.field("content-length").and_then(|length| length.parse().ok());
    reader.take(length.unwrap_or(0)).read_to_end(&mut request.body).ok()?;
    Some(request)
}
