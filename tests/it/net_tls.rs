//! TLS to an upstream: what is trusted, what is shown, and what goes through, against openssl's
//! server and a scripted one.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

use gocred::{
    core::target::Host,
    net::{
        handshake::{self, Error, Flaw},
        tls::{self, Client, UpstreamTls},
        wire::{Wire, fill},
    },
};
use rustls::{
    HandshakeKind,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};

use super::support::tls::{Authority, serve, serve_tcp};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn trusting(ca: PathBuf) -> Client {
    tls::upstream(UpstreamTls { roots: &[ca], ..UpstreamTls::default() }).unwrap()
}

fn showing(ca: PathBuf, cert: &Path, key: Option<&Path>) -> Result<Client, tls::Error> {
    tls::upstream(UpstreamTls { roots: &[ca], client_cert: Some(cert), client_key: key })
}

async fn connect(address: SocketAddr, client: &Client, host: &str) -> Result<Wire, Error> {
    let wire = Wire::new(TcpStream::connect(address).await.unwrap());
    handshake::connect(wire, client, &Host::parse(host).unwrap()).await
}

/// Sends bytes and reads until `length` have come, or an error.
async fn ask(wire: &mut Wire, bytes: &[u8], length: usize) -> io::Result<Vec<u8>> {
    let (read, unread, mut write) = wire.split();
    write.write_all(bytes).await?;
    while unread.len() < length {
        if fill(&read, unread).await? == 0 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    Ok(std::mem::take(unread))
}

#[test]
fn bytes_go_both_ways_in_both_versions() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test,IP:127.0.0.1", 2);
    let client = trusting(authority.file("ca.pem"));
    for version in ["-tls1_2", "-tls1_3"] {
        let server =
            authority.openssl_server(&format!("{version} -cert server.pem -key server.key"));
        for host in ["proxy.test", "PROXY.test.", "127.0.0.1"] {
            run(async {
                let mut wire = connect(server.address, &client, host).await.unwrap();
                assert_eq!(ask(&mut wire, b"hello\n", 6).await.unwrap(), b"olleh\n", "{host}");
                let file = authority.file("server.pem");
                let shown = CertificateDer::from_pem_file(file).unwrap();
                assert_eq!(wire.certificate().unwrap(), shown.as_ref());
                assert!(wire.tcp().is_none());
            });
        }
    }
}

#[test]
fn a_bad_certificate_is_named_for_what_is_wrong_with_it() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("old", "DNS:proxy.test", -1).sign("other", "DNS:a.test,DNS:b.test", 2);
    authority.sign("good", "DNS:proxy.test", 2);
    authority.run(
        "req -x509 -newkey EC -nodes -keyout lonely.key -out lonely.pem -days 2 -subj /CN=lonely \
         -addext subjectAltName=DNS:proxy.test -addext basicConstraints=CA:false",
    );
    let stranger = Authority::new().unwrap();
    let names = Flaw::Name(vec!["a.test".to_owned(), "b.test".to_owned()]);
    for (shown, ca, flaw) in [
        ("old", &authority, Flaw::Expired),
        ("other", &authority, names),
        ("good", &stranger, Flaw::Authority),
        ("lonely", &authority, Flaw::Authority),
        ("ca", &authority, Flaw::AuthorityItself),
    ] {
        let (address, server) = serve(authority.config(shown), 1, |mut stream| {
            stream.read(&mut [0]).expect_err("an alert")
        });
        let error = run(connect(address, &trusting(ca.file("ca.pem")), "proxy.test")).unwrap_err();
        let Error::Untrusted(told) = &error else { panic!("{shown}: {error}") };
        assert_eq!(*told, flaw, "{shown}: {error}");
        server.join().unwrap();
    }
}

#[test]
fn what_is_not_tls_is_told_from_what_is_broken() {
    let Some(authority) = Authority::new() else { return };
    let client = trusting(authority.file("ca.pem"));
    for (said, is_tls) in [
        (&b"HTTP/1.1 400 Bad Request\r\nServer: squid\r\n\r\n"[..], false),
        (b"SSH-2.0-OpenSSH_9.2\r\n", false),
        (b"220 mail.test ESMTP\r\n", false),
        (&[0; 100], false),
        (b"\x16\x03\x03\xff\xff\0", false),
        (b"\x15\x03\x03\0\x02\x02\x28", true),
        (b"\x16\x03\x03\0\x04\x02\xff\xff\xff", true),
        (b"\x17\x03\x03\0\x01x", true),
        (b"", true),
        (b"\x16\x03", true),
    ] {
        let (address, server) = serve_tcp(1, move |mut stream| {
            assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
            stream.write_all(said).unwrap();
            drop(stream.shutdown(std::net::Shutdown::Write));
            stream.read_to_end(&mut Vec::new())
        });
        let error = run(connect(address, &client, "proxy.test")).unwrap_err();
        assert_eq!(!matches!(error, Error::NotTls), is_tls, "{said:?}: {error}");
        let _ = server.join().unwrap();
    }
}

#[test]
fn garbage_of_any_length_and_kind_is_an_error_in_time() {
    let Some(authority) = Authority::new() else { return };
    let client = trusting(authority.file("ca.pem"));
    let (address, server) = serve_tcp(1, |mut stream| {
        // A handshake message without an end, as fast as it is taken.
        let record = [&b"\x16\x03\x03\x40\x00\x02\xff\xff\xff"[..], &[0; 0x3ffc]].concat();
        while stream.write_all(&record).is_ok() {}
    });
    let start = Instant::now();
    let error = run(connect(address, &client, "proxy.test")).unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert!(start.elapsed() < Duration::from_secs(6));
    server.join().unwrap();
}

#[test]
fn a_silent_server_is_left_after_8_s() {
    let Some(authority) = Authority::new() else { return };
    let client = trusting(authority.file("ca.pem"));
    let (address, server) =
        serve_tcp(1, |mut stream| stream.read_to_end(&mut Vec::new()).map(drop));
    let start = Instant::now();
    let error = run(connect(address, &client, "proxy.test")).unwrap_err();
    assert!(matches!(error, Error::Timeout), "{error}");
    assert!((7..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let _ = server.join().unwrap();
}

#[test]
fn a_client_certificate_is_shown_in_every_form_of_its_key() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2).sign("me", "DNS:me.test", 2);
    authority.run("ec -in me.key -out sec1.key");
    authority.run("genrsa -traditional -out pkcs1.key 2048");
    authority.run("req -new -key pkcs1.key -out csr -subj /CN=rsa");
    authority
        .run("x509 -req -in csr -CA ca.pem -CAkey ca.key -days 2 -out rsa.pem -extfile extensions");
    let read = |name: &str| std::fs::read(authority.file(name)).unwrap();
    assert!(read("sec1.key").windows(14).any(|window| window == b"EC PRIVATE KEY"));
    assert!(read("pkcs1.key").windows(15).any(|window| window == b"RSA PRIVATE KEY"));
    authority.home.write("both.pem", [read("me.key"), read("me.pem"), read("ca.pem")].concat());
    for version in ["-tls1_2", "-tls1_3"] {
        let server = authority.openssl_server(&format!(
            "{version} -cert server.pem -key server.key -CAfile ca.pem -Verify 1 \
             -verify_return_error"
        ));
        for (certificate, key) in [
            ("me.pem", Some("me.key")),
            ("me.pem", Some("sec1.key")),
            ("rsa.pem", Some("pkcs1.key")),
            ("both.pem", None),
        ] {
            let key = key.map(|key| authority.file(key));
            let ca = authority.file("ca.pem");
            let client = showing(ca, &authority.file(certificate), key.as_deref()).unwrap();
            let answer = run(async {
                let mut wire = connect(server.address, &client, "proxy.test").await.unwrap();
                ask(&mut wire, b"ab\n", 3).await
            });
            assert_eq!(answer.unwrap(), b"ba\n", "{version} {certificate}");
        }
    }
}

#[test]
fn a_missing_and_a_foreign_client_certificate_are_told_apart() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2);
    let stranger = Authority::new().unwrap();
    stranger.sign("me", "DNS:me.test", 2);
    let ca = || authority.file("ca.pem");
    let foreign = showing(ca(), &stranger.file("me.pem"), Some(&stranger.file("me.key"))).unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let server = authority.openssl_server(&format!(
            "{version} -cert server.pem -key server.key -CAfile ca.pem -Verify 1 \
             -verify_return_error"
        ));
        let ask = |client: &Client| {
            run(async {
                // TLS 1.3 tells with the first read.
                let mut wire = connect(server.address, client, "proxy.test").await?;
                ask(&mut wire, b"ab\n", 3).await.map_err(Error::from)
            })
        };
        let error = ask(&trusting(ca())).unwrap_err();
        assert!(matches!(error, Error::CertificateNeeded), "{version}: {error}");
        let error = ask(&foreign).unwrap_err();
        assert!(matches!(error, Error::CertificateRefused(_)), "{version}: {error}");
    }
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_named_with_its_file() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("me", "DNS:me.test", 2).sign("other", "DNS:other.test", 2);
    authority.run("pkcs8 -topk8 -in me.key -passout pass:x -out encrypted.key");
    authority.home.write("empty", "");
    for (certificate, key, named, what) in [
        ("missing", "me.key", "missing", "No such file"),
        ("empty", "me.key", "empty", "no certificate"),
        ("me.pem", "missing", "missing", "No such file"),
        ("me.pem", "empty", "empty", "no private key"),
        ("me.pem", "encrypted.key", "encrypted.key", "encrypted"),
        ("me.pem", "other.key", "me.pem", "cannot be shown"),
    ] {
        let key = authority.file(key);
        let error = showing(authority.file("ca.pem"), &authority.file(certificate), Some(&key));
        let error = error.unwrap_err().to_string();
        let file = authority.file(named).display().to_string();
        assert!(error.starts_with(&file) && error.contains(what), "{error}");
    }
}

#[test]
fn a_session_is_resumed() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2);
    let (address, server) = serve(authority.config("server"), 2, |mut stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(b"ok").unwrap();
        stream.conn.handshake_kind()
    });
    let client = trusting(authority.file("ca.pem"));
    for _ in 0..2 {
        run(async {
            let mut wire = connect(address, &client, "proxy.test").await.unwrap();
            assert_eq!(ask(&mut wire, b"hi", 2).await.unwrap(), b"ok");
        });
    }
    let kinds = server.join().unwrap();
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}

#[test]
fn each_side_may_end_before_the_other() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2);
    let (address, server) = serve(authority.config("server"), 1, |mut stream| {
        let mut all = Vec::new();
        // It succeeds only where close_notify came.
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        all
    });
    run(async {
        let client = trusting(authority.file("ca.pem"));
        let mut wire = connect(address, &client, "proxy.test").await.unwrap();
        let (read, unread, mut write) = wire.split();
        write.write_all(b"the last words").await.unwrap();
        write.shutdown().await.unwrap();
        while fill(&read, unread).await.unwrap() > 0 {}
        assert_eq!(unread.len(), 100_000);
        assert_eq!(fill(&read, unread).await.unwrap(), 0);
    });
    assert_eq!(server.join().unwrap(), [b"the last words"]);
}

#[test]
fn an_end_that_was_not_announced_is_no_end() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2);
    let (address, server) = serve(authority.config("server"), 1, |mut stream| {
        stream.write_all(b"half of an ans").unwrap();
    });
    run(async {
        let client = trusting(authority.file("ca.pem"));
        let mut wire = connect(address, &client, "proxy.test").await.unwrap();
        let (read, unread, _) = wire.split();
        let error = loop {
            match fill(&read, unread).await {
                Ok(length) => assert!(length > 0),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(unread, b"half of an ans");
    });
    server.join().unwrap();
}

#[test]
fn bytes_that_are_no_records_end_a_session() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2);
    let (address, server) = serve(authority.config("server"), 1, |mut stream| {
        stream.write_all(b"good").unwrap();
        stream.sock.write_all(b"\x17\x03\x03\0\x20 this was never encrypted by you").unwrap();
        stream.sock.read_to_end(&mut Vec::new())
    });
    run(async {
        let client = trusting(authority.file("ca.pem"));
        let mut wire = connect(address, &client, "proxy.test").await.unwrap();
        let (read, unread, _) = wire.split();
        let error = loop {
            if let Err(error) = fill(&read, unread).await {
                break error;
            }
        };
        assert_eq!(unread, b"good");
        assert!(matches!(Error::from(error), Error::Protocol(_)));
        // And it stays void.
        assert!(fill(&read, unread).await.is_err());
    });
    let _ = server.join().unwrap();
}

/// A write that is cancelled either took bytes and said so, or took none. What it took leaves while
/// somebody waits for an answer.
#[test]
fn a_cancelled_write_repeats_and_loses_nothing() {
    const LENGTH: usize = 8 * 1024 * 1024;
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", "DNS:proxy.test", 2);
    let (go, wait) = mpsc::channel::<()>();
    let (address, server) = serve(authority.config("server"), 1, move |mut stream| {
        stream.flush().unwrap();
        wait.recv().unwrap();
        let mut all = vec![0; LENGTH];
        stream.read_exact(&mut all).unwrap();
        stream.write_all(b"thanks").unwrap();
        all
    });
    let bytes: Vec<u8> = (0..=250).flat_map(|byte| [byte; 7]).cycle().take(LENGTH).collect();
    run(async {
        let client = trusting(authority.file("ca.pem"));
        let mut wire = connect(address, &client, "proxy.test").await.unwrap();
        let (read, unread, mut write) = wire.split();
        let (mut sent, mut cancelled) = (0, 0);
        while sent < LENGTH {
            match timeout(Duration::from_micros(50), write.write(&bytes[sent..])).await {
                Ok(taken) => sent += taken.unwrap(),
                Err(_) => cancelled += 1,
            }
            if cancelled == 20 {
                go.send(()).unwrap();
            }
        }
        assert!(cancelled >= 20, "{cancelled}");
        // Nobody writes any more; only the waiting for the answer sends the rest.
        while unread.len() < 6 {
            assert!(fill(&read, unread).await.unwrap() > 0);
        }
        assert_eq!(unread, b"thanks");
    });
    assert!(server.join().unwrap() == [bytes]);
}
