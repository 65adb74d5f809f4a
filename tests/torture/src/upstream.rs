//! A corporate proxy that wants a login, opens a tunnel to nowhere, and says a word in it. Of Digest and
//! NTLM it looks at no more than that there is a proof; the real ones are in tests/it/proxy_schemes.rs.

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

/// How it wants the login.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    Basic,
    Digest,
    Ntlm,
}

impl Scheme {
    pub const ALL: [Self; 3] = [Self::Basic, Self::Digest, Self::Ntlm];

    /// Whether this proves who it is. `login` is the one that Basic says.
    fn is_proven(self, value: &str, login: &str) -> bool {
        match self {
            Self::Basic => value == login,
            Self::Digest => value.starts_with("Digest ") && value.contains("response="),
            // "NTLMSSP", 0, 3
            Self::Ntlm => value.starts_with("NTLM TlRMTVNTUAAD"),
        }
    }

    /// What it answers to anything else.
    fn challenge(self, value: &str) -> String {
        match self {
            Self::Basic => "Basic realm=\"x\"".to_owned(),
            Self::Digest => {
                "Digest realm=\"x\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256".to_owned()
            }
            Self::Ntlm if value.starts_with("NTLM ") => format!("NTLM {}", base64(&type_2())),
            Self::Ntlm => "NTLM".to_owned(),
        }
    }
}

/// The second message of NTLM (MS-NLMP §2.2.1.2), of the domain CORP.
fn type_2() -> Vec<u8> {
    let name: Vec<u8> = "CORP".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let pair = |id: u8, value: &[u8]| [&[id, 0, value.len() as u8, 0], value].concat();
    let info = [pair(2, &name), pair(1, &name), pair(0, b"")].concat();
    let field = |length: usize, at: usize| [length as u8, 0, length as u8, 0, at as u8, 0, 0, 0];
    let flags = 0xa089_8205_u32.to_le_bytes();
    let head =
        [b"NTLMSSP\0\x02\0\0\0", &field(name.len(), 56)[..], &flags, b"8 random\0\0\0\0\0\0\0\0"];
    let tail =
        [&field(info.len(), 56 + name.len())[..], &[10, 0, 0x61, 0x4a, 0, 0, 0, 15], &name, &info];
    [head.concat(), tail.concat()].concat()
}

impl Upstream {
    /// Starts it; it ends with the program.
    pub fn start(scheme: Scheme, login: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let wanted = format!("Basic {}", base64(login.as_bytes()));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let wanted = wanted.clone();
                thread::spawn(move || answer(stream, scheme, &wanted));
            }
        });
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn answer(stream: TcpStream, scheme: Scheme, login: &str) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut line, mut asked, mut said) = (String::new(), String::new(), String::new());
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
                if name.eq_ignore_ascii_case("proxy-authorization") {
                    value.trim().clone_into(&mut said);
                }
            }
        }
        let is_in = scheme.is_proven(&said, login);
        if is_in && asked.starts_with("CONNECT ") {
            stream.write_all(format!("HTTP/1.1 200 tunnel\r\n\r\n{WORD}\n").as_bytes()).ok()?;
            // Until the client goes.
            return reader.read_line(&mut line).ok().map(drop);
        }
        if is_in {
            let head = format!("HTTP/1.1 200 page\r\nContent-Length: {}\r\n\r\n", WORD.len());
            stream.write_all((head + WORD).as_bytes()).ok()?;
            continue;
        }
        let challenge = scheme.challenge(&said);
        let head = format!("HTTP/1.1 407 who\r\nProxy-Authenticate: {challenge}\r\n");
        stream.write_all(format!("{head}Content-Length: 0\r\n\r\n").as_bytes()).ok()?;
    }
}
