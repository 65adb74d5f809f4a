//! Forward proxies that misbehave, `NAME.corp.test:3128`. Those that behave are squid's.

use std::{io::Read as _, net::TcpStream, path::Path, thread, time::Duration};

use super::{
    hosts,
    raw::{head, listen_at, reset, say, wait},
};

/// What a proxy does with a connection.
type Does = fn(TcpStream);

/// All of them.
pub(super) const ALL: &[(&str, Does)] = &[
    ("pntlm", |stream| wants(stream, &["NTLM"])),
    ("pnegotiate", |stream| wants(stream, &["Negotiate"])),
    ("pdigest", |stream| wants(stream, &["Digest realm=\"Corp\", nonce=\"5f1c\", qop=\"auth\""])),
    ("pbearer", |stream| wants(stream, &["Bearer realm=\"https://zta.corp.test\""])),
    ("pnochal", |stream| wants(stream, &[])),
    // Begins a login, and goes on with something else.
    ("pbreak", |mut stream| {
        while let Some(request) = head(&mut stream) {
            let is_begun = request.to_ascii_lowercase().contains("proxy-authorization:");
            let scheme = if is_begun { "NTLM bm90aGluZw==" } else { "NTLM" };
            let status = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: ";
            say(&mut stream, format!("{status}{scheme}\r\nContent-Length: 0\r\n\r\n"));
        }
    }),
    ("pmany", |stream| {
        wants(stream, &["Negotiate", "NTLM", "Digest realm=\"Corp\", nonce=\"5f1c\""]);
    }),
    ("plocked", |stream| {
        refuses(
            stream,
            "Your account is locked out because of too many failed logins. Call the help desk.",
        );
    }),
    ("pexpired", |stream| {
        refuses(stream, "Your password has expired. Change it and log in again.");
    }),
    ("p403", |stream| status(stream, "403 Forbidden", "", "<html>blocked by policy</html>")),
    ("p429", |stream| status(stream, "429 Too Many Requests", "Retry-After: 60\r\n", "slow down")),
    ("p500", |stream| status(stream, "500 Internal Server Error", "", "error")),
    ("p502", |stream| status(stream, "502 Bad Gateway", "", "bad gateway")),
    ("p503", |stream| status(stream, "503 Service Unavailable", "Retry-After: 30\r\n", "busy")),
    ("p504", |stream| status(stream, "504 Gateway Timeout", "", "timeout")),
    ("p302", |stream| {
        status(stream, "302 Found", "Location: http://portal.corp.test/login\r\n", "");
    }),
    ("pslow", wait),
    ("pclose", |mut stream| drop(head(&mut stream))),
    ("preset", |mut stream| {
        head(&mut stream);
        reset(&stream);
    }),
    ("phtml", |mut stream| {
        head(&mut stream);
        say(
            &mut stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60\r\n\r\n\
             <html><form><input type=password></form>sign in</html>......",
        );
        thread::sleep(Duration::from_millis(300));
    }),
    ("pssh", |mut stream| {
        say(&mut stream, "SSH-2.0-OpenSSH_9\r\n");
        head(&mut stream);
    }),
    ("pbig", |mut stream| {
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 200 Connection established\r\n");
        let field = format!("X-Filler: {}\r\n", "x".repeat(8000));
        for _ in 0..1500 {
            say(&mut stream, &field);
        }
        say(&mut stream, "\r\n");
    }),
    ("p100", |mut stream| {
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n");
        thread::sleep(Duration::from_millis(50));
        tunnel(stream, u64::MAX);
    }),
    ("pdlp", |mut stream| {
        head(&mut stream);
        tunnel(stream, 700);
    }),
    ("phalf", |mut stream| {
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 200 Connec");
        wait(stream);
    }),
    // Opens the tunnel, and nothing comes through.
    ("ptunnel", |mut stream| {
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 200 Connection established\r\n\r\n");
        wait(stream);
    }),
];

/// Starts them.
pub(super) fn serve(_own: &Path) {
    for (name, does) in ALL {
        listen_at(hosts::address(&format!("{name}.corp.test")), 3128, *does);
    }
}

fn status(mut stream: TcpStream, status: &str, fields: &str, body: &str) {
    while head(&mut stream).is_some() {
        let length = body.len();
        say(
            &mut stream,
            format!(
                "HTTP/1.1 {status}\r\n{fields}Content-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
    }
}

fn wants(stream: TcpStream, schemes: &[&str]) {
    let field = |scheme: &&str| ["Proxy-Authenticate: ", scheme, "\r\n"].concat();
    let fields = schemes.iter().map(field).collect::<String>();
    status(stream, "407 Proxy Authentication Required", &fields, "");
}

/// 407 with Basic; who has sent a login is told why it is not taken.
fn refuses(mut stream: TcpStream, why: &str) {
    while let Some(request) = head(&mut stream) {
        let has_login = request.to_ascii_lowercase().contains("proxy-authorization:");
        let body = if has_login { why } else { "log in" };
        let length = body.len();
        say(
            &mut stream,
            format!(
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"Corp\"\r\n\
                 Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
    }
}

/// Opens a tunnel to pub.corp.test, and resets it after so many bytes from there.
fn tunnel(mut stream: TcpStream, limit: u64) {
    let Ok(mut origin) = TcpStream::connect((hosts::address("pub.corp.test"), 443)) else { return };
    say(&mut stream, "HTTP/1.1 200 Connection established\r\n\r\n");
    let (Ok(mut back), Ok(mut there)) = (stream.try_clone(), origin.try_clone()) else { return };
    thread::spawn(move || std::io::copy(&mut back, &mut there));
    let mut left = limit;
    let mut buffer = [0_u8; 16384];
    while let Ok(count) = origin.read(&mut buffer) {
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        say(&mut stream, bytes);
        left -= u64::try_from(count).unwrap_or(u64::MAX).min(left);
        if left == 0 {
            break;
        }
    }
    if limit < u64::MAX {
        reset(&stream);
        // The other thread holds the socket, too: it ends only now, and with it the connection.
        let _ = stream.shutdown(std::net::Shutdown::Read);
    }
}
