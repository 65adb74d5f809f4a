//! SOCKS 5 upstreams: microsocks, and servers that do what none should.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Stdio},
    time::Instant,
};

use gocred::{
    core::{
        secret::SecretString,
        socks::{Error as Refused, Refusal},
        target::Authority,
    },
    net::{
        socks::{self, Error},
        wire::{Wire, fill},
    },
};

use super::support::{
    eventually,
    home::Home,
    program,
    tls::{serve_at, serve_tcp},
};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn connect(
    server: SocketAddr,
    target: &str,
    login: Option<(&str, &str)>,
) -> Result<Wire, Error> {
    let mut wire = Wire::new(tokio::net::TcpStream::connect(server).await.unwrap());
    let password = login.map(|(_, password)| SecretString::from(password));
    let login = login.map(|(user, _)| user).zip(password.as_ref());
    socks::connect(&mut wire, &Authority::parse(target).unwrap(), login).await?;
    Ok(wire)
}

/// Debian's microsocks; it ends with the value.
struct Microsocks {
    child: Child,
    address: SocketAddr,
    home: Home,
}

impl Microsocks {
    fn start(options: &[&str]) -> Option<Self> {
        let microsocks = program("microsocks", "microsocks")?;
        let home = Home::new();
        // It takes no port 0.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = free.port().to_string();
        let mut command =
            home.run(microsocks).args(["-i", "127.0.0.1", "-p", &port]).args(options).command();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        eventually("microsocks", || TcpStream::connect(free).ok());
        Some(Self { child, address: free, home })
    }
}

impl Drop for Microsocks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens a tunnel and asks its other end, which speaks first, for what it says.
fn listen_through(socks: &Microsocks, login: Option<(&str, &str)>) -> Result<Vec<u8>, Error> {
    // microsocks tries only the first address of a name.
    let (address, origin) = serve_at("localhost:0", 1, |mut stream| {
        let mut heard = [0; 4];
        stream.write_all(b"welcome").unwrap();
        stream.read_exact(&mut heard).map(|()| heard)
    });
    let result = run(async {
        let mut wire =
            connect(socks.address, &format!("localhost:{}", address.port()), login).await?;
        let (read, unread, mut write) = wire.split();
        write.write_all(b"ping").await?;
        while unread.len() < 7 && fill(&read, unread).await? > 0 {}
        Ok(unread.clone())
    });
    if result.is_err() {
        // Nobody came.
        drop(TcpStream::connect(address));
    }
    let heard = origin.join().unwrap();
    let heard = heard.first().and_then(|heard| heard.as_ref().ok());
    assert_eq!(heard, result.is_ok().then_some(b"ping"));
    result
}

#[test]
fn a_real_server_resolves_the_name_and_opens_a_tunnel() {
    let Some(socks) = Microsocks::start(&[]) else { return };
    assert_eq!(listen_through(&socks, None).unwrap(), b"welcome");
    assert_eq!(listen_through(&socks, Some(("ana", "geheim"))).unwrap(), b"welcome");
    let log = std::fs::read_to_string(socks.home.path().join("log")).unwrap();
    assert!(log.contains("connected to localhost:"), "{log}");
}

#[test]
fn a_real_server_judges_the_login() {
    let Some(socks) = Microsocks::start(&["-u", "ana", "-P", "geheim"]) else { return };
    assert_eq!(listen_through(&socks, Some(("ana", "geheim"))).unwrap(), b"welcome");
    let rejected = listen_through(&socks, Some(("ana", "falsch"))).unwrap_err();
    assert!(matches!(rejected, Error::Refused(Refused::LoginRejected)), "{rejected}");
    let needed = listen_through(&socks, None).unwrap_err();
    assert!(matches!(needed, Error::Refused(Refused::LoginNeeded)), "{needed}");
}

#[test]
fn a_real_server_says_why_there_is_no_connection() {
    let Some(socks) = Microsocks::start(&[]) else { return };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = run(connect(socks.address, &closed.to_string(), None)).unwrap_err();
    let refused = Refused::Refused(Refusal::ConnectionRefused);
    assert!(matches!(error, Error::Refused(told) if told == refused), "{error}");
    let error = run(connect(socks.address, "nobody.invalid:1", None)).unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::Refused(_))), "{error}");
}

#[test]
fn a_server_that_answers_anything_else_ends_it() {
    /// What it answers, turn by turn, before it closes; and what is told of it.
    const CASES: &[(&[&[u8]], &str)] = &[
        (&[b"HTTP/1.1 400 Bad Request\r\n\r\n"], "http://"),
        (&[b"\x15\x03\x03\0\x02\x02\x28"], "TLS"),
        (&[b"\0\x5b\0\0\0\0\0\0"], "SOCKS 4"),
        (&[&[0xff; 65536]], "does not speak SOCKS 5"),
        (&[b"\x05\x02"], "not offered"),
        (&[b"\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0"], "out of turn"),
        (&[b"\x05\0", b"\x05\0\0\x09"], "unknown address"),
        (&[b"\x05\0", b"\x05\x02"], "not allowed"),
        (&[], "closed"),
        (&[b"\x05"], "closed"),
        (&[b"\x05\0"], "closed"),
        (&[b"\x05\0", b"\x05\0\0\x03\xff.."], "closed"),
    ];
    for (turns, told) in CASES {
        let (address, server) = serve_tcp(1, move |mut stream| {
            for turn in *turns {
                assert!(stream.read(&mut [0; 300]).unwrap() > 0);
                stream.write_all(turn).unwrap();
            }
            drop(stream.shutdown(Shutdown::Write));
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let error = run(connect(address, "h:443", None)).unwrap_err();
        assert!(error.to_string().contains(told), "{turns:?}: {error}");
        server.join().unwrap();
    }
}

#[test]
fn a_silent_server_is_left_after_15_s() {
    let (address, server) = serve_tcp(1, |mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut request = Vec::new();
        stream.read_to_end(&mut request).unwrap();
        request
    });
    let start = Instant::now();
    let error = run(connect(address, "h:443", None)).unwrap_err();
    assert!(matches!(error, Error::Silent), "{error}");
    assert!((14..18).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(server.join().unwrap(), [b"\x05\x01\0\x03\x01h\x01\xbb"]);
}
