//! Servers of the lab that stall: each way that a connection, a TLS session, an answer or a proxy can
//! stop half-way. Written from how clients were seen to hang (resilience-security.md §4, failures.md).

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    fd::OwnedFd,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, listen, socket_with, sockopt},
};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tls;

/// The host whose servers stall.
pub(crate) const HOST: &str = "stall.corp.test";
/// The same for forward proxies.
pub(crate) const PROXY_HOST: &str = "proxy-stall.corp.test";

/// A way to stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    /// The server's queue is full: SYNs are dropped.
    Syn,
    /// It accepts, and says nothing.
    Accept,
    /// It stops within its first TLS record.
    Hello,
    /// After TLS, no answer comes.
    Head,
    /// The head of the answer stops half-way.
    HalfHead,
    /// The head comes with one byte a second.
    SlowHead,
    /// After the head, nothing comes.
    Body,
    /// The body stops half-way.
    HalfBody,
    /// The body comes with one byte a second.
    SlowBody,
    /// A chunk stops half-way.
    HalfChunk,
    /// The forward proxy's queue is full.
    ProxySyn,
    /// It accepts, and does not answer CONNECT.
    ProxyAccept,
    /// Its answer to CONNECT stops half-way.
    ProxyHalfHead,
    /// It opens the tunnel, and nothing comes through.
    ProxyTunnel,
}

impl Stall {
    /// All of them.
    pub(crate) const ALL: [Self; 14] = [
        Self::Syn,
        Self::Accept,
        Self::Hello,
        Self::Head,
        Self::HalfHead,
        Self::SlowHead,
        Self::Body,
        Self::HalfBody,
        Self::SlowBody,
        Self::HalfChunk,
        Self::ProxySyn,
        Self::ProxyAccept,
        Self::ProxyHalfHead,
        Self::ProxyTunnel,
    ];

    /// Whether it is the forward proxy that stalls.
    pub(crate) fn is_of_proxy(self) -> bool {
        matches!(self, Self::ProxySyn | Self::ProxyAccept | Self::ProxyHalfHead | Self::ProxyTunnel)
    }

    /// Whether a proxy in between has answered CONNECT with 200 before anything stalls: within the tunnel it
    /// can say nothing any more.
    pub(crate) fn is_in_tunnel(self) -> bool {
        !matches!(self, Self::Syn | Self::ProxySyn | Self::ProxyAccept | Self::ProxyHalfHead)
    }
}

/// A server that stalls. Its threads end with the test process.
pub(crate) struct Staller {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// What fills its queue.
    _queue: Vec<OwnedFd>,
}

impl Staller {
    /// Starts it on a host of the lab, with the lab's certificate.
    pub(crate) fn start(lab: &Path, stall: Stall) -> Self {
        let host = if stall.is_of_proxy() { PROXY_HOST } else { HOST };
        let at = (host, 0).to_socket_addrs().expect("a name").next().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        if matches!(stall, Stall::Syn | Stall::ProxySyn) {
            let (address, queue) = full(at);
            return Self { address, connections, _queue: queue };
        }
        let config = tls::config(&lab.join("etc"), "server");
        let listener = TcpListener::bind(at).expect("a port");
        let address = listener.local_addr().expect("an address");
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let config = Arc::clone(&config);
                // A client that is gone ends it.
                thread::spawn(move || serve(stream, stall, config));
            }
        });
        Self { address, connections, _queue: Vec::new() }
    }

    /// Returns its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns how many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A listener whose queue is full: Linux then drops SYNs (tcp(7), `tcp_abort_on_overflow`). Returns its
/// address, and what keeps it full.
pub(crate) fn full(at: SocketAddr) -> (SocketAddr, Vec<OwnedFd>) {
    let socket = |flags| {
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket")
    };
    let listener = socket(SocketFlags::CLOEXEC);
    sockopt::set_socket_reuseaddr(&listener, true).expect("an option");
    bind(&listener, &at).expect("a port");
    listen(&listener, 0).expect("a queue");
    let address = TcpListener::from(listener);
    let place = address.local_addr().expect("an address");
    let mut queue: Vec<OwnedFd> = (0..4)
        .map(|_| {
            let client = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
            // It is under way.
            let _ = connect(&client, &place);
            client
        })
        .collect();
    queue.push(address.into());
    (place, queue)
}

/// Serves one connection up to where it stalls; ends when the client does.
fn serve(mut stream: TcpStream, stall: Stall, config: Arc<ServerConfig>) -> Option<()> {
    match stall {
        Stall::Accept => return silence(&mut stream),
        Stall::Hello => {
            stream.read_exact(&mut [0; 5]).ok()?;
            // The header of a ServerHello's record, and nothing of it.
            stream.write_all(&[22, 3, 3, 0, 122, 2, 0]).ok()?;
            return silence(&mut stream);
        }
        _ if stall.is_of_proxy() => {
            head(&mut stream)?;
            let said: &[u8] = match stall {
                Stall::ProxyHalfHead => b"HTTP/1.1 200 Connection esta",
                Stall::ProxyTunnel => b"HTTP/1.1 200 Connection established\r\n\r\n",
                _ => b"",
            };
            stream.write_all(said).ok()?;
            return silence(&mut stream);
        }
        _ => {}
    }
    let session = ServerConnection::new(config).expect("a session");
    let mut stream = StreamOwned::new(session, stream);
    let target = head(&mut stream)?;
    let (kind, body) = answer(&target);
    let length = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 5000\r\n\r\n");
    match stall {
        Stall::HalfHead => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").ok()?,
        Stall::SlowHead => slowly(&mut stream, length.as_bytes())?,
        Stall::Body => stream.write_all(length.as_bytes()).ok()?,
        Stall::HalfBody => stream.write_all((length + body).as_bytes()).ok()?,
        Stall::SlowBody => {
            stream.write_all(length.as_bytes()).ok()?;
            slowly(&mut stream, body.as_bytes())?;
            slowly(&mut stream, &[b' '; 4000])?;
        }
        Stall::HalfChunk => {
            let chunked = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n"
            );
            stream.write_all(format!("{chunked}\r\n1000\r\n{body}").as_bytes()).ok()?;
        }
        _ => {}
    }
    silence(&mut stream)
}

/// What the beginning of the right answer is.
fn answer(target: &str) -> (&'static str, &'static str) {
    if target.contains("git-upload-pack") {
        let kind = "application/x-git-upload-pack-advertisement";
        (kind, "001e# service=git-upload-pack\n0000")
    } else if target.contains("/@v/v1.0.0.info") {
        ("application/json", "{\"Version\":\"v1.0.0\",")
    } else {
        ("text/plain", "module private.corp.test/team/lib\n")
    }
}

/// Reads a head; returns its target.
fn head(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    Some(String::from_utf8_lossy(&head).split(' ').nth(1)?.to_owned())
}

/// Sends a byte a second.
fn slowly(stream: &mut impl Write, bytes: &[u8]) -> Option<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).and_then(|()| stream.flush()).ok()?;
        // Being slow is what is tested.
        thread::sleep(Duration::from_secs(1));
    }
    Some(())
}

/// Says nothing until the client closes.
fn silence(stream: &mut (impl Read + Write)) -> Option<()> {
    stream.flush().ok()?;
    while stream.read(&mut [0; 4096]).ok()? > 0 {}
    None
}
