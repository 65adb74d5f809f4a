//! Origins that break off, stall or say something that no real server says.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{io::Read as _, net::TcpStream, path::Path, sync::Arc, thread, time::Duration};

use rustls::ServerConfig;

use super::{
    hosts,
    raw::{Secured, head, listen_at, reset, say, secure, settings, wait},
};

/// An origin of the farm, `NAME.corp.test`.
pub(super) struct Origin {
    pub(super) name: &'static str,
    port: u16,
    does: Does,
}

#[derive(Clone, Copy)]
enum Does {
    /// With the bare connection.
    Tcp(fn(TcpStream)),
    /// Within TLS.
    Tls(fn(&mut Secured)),
    /// Within TLS that wants a certificate of the client.
    Mutual(fn(&mut Secured)),
}

const fn tcp(name: &'static str, does: fn(TcpStream)) -> Origin {
    Origin { name, port: 443, does: Does::Tcp(does) }
}

const fn tls(name: &'static str, does: fn(&mut Secured)) -> Origin {
    Origin { name, port: 443, does: Does::Tls(does) }
}

/// All of them.
pub(super) const ALL: &[Origin] = &[
    tcp("accrst", |stream| reset(&stream)),
    // Its large packets are lost (`firewall`): any answer will do.
    tls("mtu", |stream| answer(stream, "text/html", "<html></html>")),
    // T
    tcp("plain443", |mut stream| {
        if stream.read(&mut [0; 512]).is_ok() {
            say(
                &mut stream,
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    }),
    tcp("ssh443", |mut stream| say(&mut stream, "SSH-2.0-OpenSSH_9.2\r\n")),
    tcp("alert40", |stream| alert(stream, 40)),
    tcp("alert70", |stream| alert(stream, 70)),
    tcp("sniblock", |mut stream| {
        // RFC 6066 §3: unrecognized_name, for who asks for this name; everybody else gets a hello.
        let hello = hello(&mut stream);
        if hello.windows(8).any(|window| window == b"sniblock") {
            say(&mut stream, [21, 3, 3, 0, 2, 2, 112]);
        } else {
            server_hello(&mut stream);
        }
    }),
    tcp("sniclose", |mut stream| {
        let hello = hello(&mut stream);
        if !hello.windows(8).any(|window| window == b"sniclose") {
            server_hello(&mut stream);
        }
    }),
    tcp("tlsclose", |mut stream| drop(hello(&mut stream))),
    tcp("tlsrst", |mut stream| {
        hello(&mut stream);
        reset(&stream);
    }),
    tcp("tlsstall", wait),
    Origin {
        name: "mtls",
        port: 443,
        does: Does::Mutual(|stream| answer(stream, "text/html", "<html></html>")),
    },
    // H
    tls("hstall", |stream| {
        let _ = head(stream);
        wait(stream);
    }),
    tls("bstall", |stream| {
        let _ = head(stream);
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<html>",
        );
        wait(stream);
    }),
    tls("drip", |stream| {
        let _ = head(stream);
        say(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n");
        for _ in 0..600 {
            say(stream, "<");
            thread::sleep(Duration::from_secs(1));
        }
    }),
    tls("trunc", |stream| {
        let _ = head(stream);
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<html>",
        );
        end(stream);
    }),
    tls("empty", |stream| {
        let _ = head(stream);
        end(stream);
    }),
    // A good repository, but that nothing tells the end of its answers.
    tls("unclosed", |stream| {
        let text = head(stream).unwrap_or_default();
        let (kind, body) = if text.contains(".git/") {
            ("application/x-git-upload-pack-advertisement", references())
        } else {
            ("text/html", page("unclosed"))
        };
        say(stream, format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n{body}"));
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        wait(&stream.sock);
    }),
    tls("bighead", |stream| {
        let _ = head(stream);
        say(stream, "HTTP/1.1 200 OK\r\n");
        let field = format!("X-Filler: {}\r\n", "x".repeat(8000));
        for _ in 0..1500 {
            say(stream, &field);
        }
        say(stream, "\r\n");
        end(stream);
    }),
    tls("badgzip", |stream| {
        let _ = head(stream);
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n\
             this is no gzip.....",
        );
        end(stream);
    }),
    tls("cutgzip", |stream| {
        let _ = head(stream);
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n",
        );
        // The head of a gzip member (RFC 1952), and a block of deflate that is stored and shorter than it says.
        say(stream, b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\xff\0\0\xff<html");
        end(stream);
    }),
    tls("nothttp", |stream| {
        let _ = head(stream);
        say(stream, "SMTP ready when you are\r\n");
        end(stream);
    }),
    // G
    tls("gcut", |stream| {
        let text = head(stream).unwrap_or_default();
        if text.contains(".git/") {
            say(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
                 Content-Length: 9000\r\n\r\n001e# service=git-upload-pack\n0000",
            );
        } else {
            answer(stream, "text/html", &page("gcut"));
        }
        end(stream);
    }),
    tls("gslow", |stream| {
        let text = head(stream).unwrap_or_default();
        if !text.contains(".git/") {
            answer(stream, "text/html", &page("gslow"));
            return;
        }
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
             Content-Length: 9000\r\n\r\n001e# service=git-upload-pack\n0000",
        );
        for _ in 0..60 {
            say(stream, "0");
            thread::sleep(Duration::from_millis(500));
        }
    }),
    // M
    tls("gpstall", |stream| {
        let _ = head(stream);
        wait(stream);
    }),
    tls("gptrunc", |stream| {
        let text = head(stream).unwrap_or_default();
        if text.contains(".zip ") {
            say(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 5000\r\n\r\nPK\x03\x04\x14",
            );
        } else if text.contains(".info ") || text.contains("@latest ") {
            answer(
                stream,
                "application/json",
                "{\"Version\":\"v1.0.0\",\"Time\":\"2026-01-02T03:04:05Z\"}",
            );
        } else if text.contains(".mod ") {
            answer(stream, "text/plain", "module example.com/pub\n\ngo 1.18\n");
        } else {
            say(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        end(stream);
    }),
    Origin {
        name: "metassh",
        port: 2222,
        does: Does::Tcp(|mut stream| say(&mut stream, "SSH-2.0-OpenSSH_9.2\r\n")),
    },
];

/// Starts them.
pub(super) fn serve(own: &Path) {
    let certs = own.join("certs");
    let plain: &'static Arc<ServerConfig> = Box::leak(Box::new(settings(&certs, None)));
    let mutual: &'static Arc<ServerConfig> =
        Box::leak(Box::new(settings(&certs, Some(&own.join("ca.pem")))));
    for origin in ALL {
        let address = hosts::address(&format!("{}.corp.test", origin.name));
        let does = origin.does;
        listen_at(address, origin.port, move |stream| {
            let (settings, does) = match does {
                Does::Tcp(does) => return does(stream),
                Does::Tls(does) => (plain, does),
                Does::Mutual(does) => (mutual, does),
            };
            let mut stream = secure(settings, stream).expect("TLS");
            does(&mut stream);
        });
    }
}

/// A whole answer.
fn answer(stream: &mut Secured, kind: &str, body: &str) {
    if kind == "text/html" && body == "<html></html>" {
        let _ = head(stream);
    }
    let length = body.len();
    say(
        stream,
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    );
    end(stream);
}

/// Ends TLS as a server does that has said everything.
fn end(stream: &mut Secured) {
    stream.conn.send_close_notify();
    let _ = stream.conn.complete_io(&mut stream.sock);
    let _ = stream.sock.shutdown(std::net::Shutdown::Write);
    let _ = stream.sock.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
}

/// The list of references of a repository with one tag (gitprotocol-pack(5)).
fn references() -> String {
    const COMMIT: &str = "8c3b5a1f0e9d7c6b5a4f3e2d1c0b9a8f7e6d5c4b";
    let line = |text: String| format!("{:04x}{text}\n", text.len() + 5);
    let first = line(format!("{COMMIT} HEAD\0symref=HEAD:refs/heads/main agent=git/2.47.3"));
    let rest = ["heads/main", "tags/v1.0.0"].map(|name| line(format!("{COMMIT} refs/{name}")));
    format!("001e# service=git-upload-pack\n0000{first}{}0000", rest.concat())
}

fn page(name: &str) -> String {
    let module = format!("{name}.corp.test/team/lib");
    format!(
        "<html><head><meta name=\"go-import\" content=\"{module} git https://{module}.git\"></head></html>"
    )
}

/// Reads what a client says first.
fn hello(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 16384];
    let count = stream.read(&mut buffer).unwrap_or(0);
    buffer.truncate(count);
    buffer
}

/// A fatal alert in place of a hello (RFC 8446 §6).
fn alert(mut stream: TcpStream, number: u8) {
    hello(&mut stream);
    say(&mut stream, [21, 3, 3, 0, 2, 2, number]);
}

/// The beginning of a TLS 1.2 server's hello: enough to see that it would speak.
fn server_hello(stream: &mut TcpStream) {
    // Version 1.2, 32 random bytes, no session, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0xc0, 0x2b, 0]);
    let length = u8::try_from(body.len()).expect("small");
    let mut record = vec![22, 3, 3, 0, length + 4, 2, 0, 0, length];
    record.extend(body);
    say(stream, record);
    wait(stream);
}
