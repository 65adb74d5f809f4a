//! A corporate proxy that wants a login (Basic), opens a tunnel to nowhere, and says a word in it.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crate::secret::base64;

pub struct Upstream {
    address: SocketAddr,
}

/// What a tunnel says first.
pub const WORD: &str = "hello from the other end";

impl Upstream {
    /// Starts it; it ends with the program.
    pub fn start(login: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let wanted = format!("Basic {}", base64(login.as_bytes()));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let wanted = wanted.clone();
                thread::spawn(move || answer(stream, &wanted));
            }
        });
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn answer(stream: TcpStream, wanted: &str) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut line, mut asked, mut is_known) = (String::new(), String::new(), false);
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim_end().is_empty() {
                break;
            }
            if asked.is_empty() {
                asked.clone_from(&line);
            }
            if let Some((name, value)) = line.split_once(':') {
                let is_login = name.eq_ignore_ascii_case("proxy-authorization");
                is_known |= is_login && value.trim() == wanted;
            }
        }
        if is_known {
            stream.write_all(format!("HTTP/1.1 200 tunnel\r\n\r\n{WORD}\n").as_bytes()).ok()?;
            // A page ends here, a tunnel with its client.
            let is_tunnel = asked.starts_with("CONNECT ");
            return if is_tunnel { reader.read_line(&mut line).ok().map(drop) } else { None };
        }
        let refusal = "HTTP/1.1 407 who\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refusal.as_bytes()).ok()?;
    }
}
