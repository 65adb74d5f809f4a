//! Somebody with an unlocked keyring, a certificate authority, and gocred under the names that other
//! tools call it by; and a server of files behind TLS and a credential.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

use gocred::front::neighbour::Tool;
use rustls::{ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};

use super::{
    home::{GOCRED, Home, Output, Run},
    keyring::Keyring,
    tls::Authority,
};

/// A person with her tools.
pub(crate) struct Person {
    pub(crate) home: Home,
    pub(crate) keyring: Keyring,
    pub(crate) authority: Authority,
}

impl Person {
    /// `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn new() -> Option<Self> {
        let person =
            Self { home: Home::new(), keyring: Keyring::unlocked()?, authority: Authority::new()? };
        person.authority.sign("server", "IP:127.0.0.1", 2);
        fs::create_dir(person.links()).expect("a folder");
        for (name, _) in Tool::ALL {
            symlink(GOCRED, person.links().join(name)).expect("a link");
        }
        Some(person)
    }

    fn links(&self) -> PathBuf {
        self.home.path().join("bin")
    }

    /// Prepares a program that finds the links, the keyring and the authority.
    pub(crate) fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        let path = format!("{}:{}", self.links().display(), super::path());
        self.home
            .run(program)
            .env("PATH", path)
            .env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .env("SSL_CERT_FILE", self.authority.file("ca.pem"))
    }

    /// Runs gocred by another name.
    pub(crate) fn ask(&self, name: &str, arguments: &[&str], input: &str) -> Output {
        self.run(self.links().join(name)).args(arguments.iter().copied()).input(input).output()
    }

    /// Signs in with gocred.
    pub(crate) fn login(&self, host: &str, user: &str, secret: &str) {
        let arguments = ["login", "--no-verify", "--with-token", "--username", user, host];
        self.run(GOCRED).args(arguments).input(secret).output().success();
    }

    /// Runs a program, and fails the test where it, or what it starts, has the secret in an argument or a
    /// variable, or says it.
    pub(crate) fn watch(&self, run: Run, secret: &str) -> Output {
        let log = self.home.path().join("started");
        let strace = super::program("strace", "strace").expect("strace, as the leak tests need it");
        let log_name = log.display().to_string();
        let options = ["-f", "-v", "-s", "65536", "-e", "trace=execve", "-o", &log_name];
        let output = run.inside(strace, &options).output();
        let started = fs::read_to_string(log).expect("what was started");
        assert!(started.contains("gocred"), "gocred was not asked: {output:?}");
        for text in [started, output.out(), output.err()] {
            assert!(!text.contains(secret), "{text}");
        }
        output
    }

    /// Runs gocred by its own name.
    pub(crate) fn gocred(&self, arguments: &[&str]) -> Output {
        self.run(GOCRED).args(arguments.iter().copied()).output()
    }
}

/// Returns a digest in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What a client asks a [`Depot`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) authorization: Option<String>,
}

/// What a [`Depot`] answers: status, fields with their line ends, body.
pub(crate) type Answer = (&'static str, String, Vec<u8>);

/// An HTTPS server on 127.0.0.1. Its threads end with the test process.
pub(crate) struct Depot {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Depot {
    pub(crate) fn start(
        authority: &Authority,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let config = authority.config("server");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, log, answer) =
                    (Arc::clone(&config), Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || {
                    let session = ServerConnection::new(config).expect("a session");
                    serve(StreamOwned::new(session, stream), &log, &*answer);
                });
            }
        });
        Self { address, seen }
    }

    /// Returns every request so far.
    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().expect("the log").clone()
    }
}

fn serve(stream: impl Read + Write, log: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Answer) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream) {
        let (status, fields, body) = answer(&asked);
        log.lock().expect("the log").push(asked);
        let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
        let bytes = [head.as_bytes(), &body].concat();
        if stream.get_mut().write_all(&bytes).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let target = line.split_whitespace().nth(1)?.to_owned();
    let mut asked = Asked { target, ..Asked::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(asked) };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.authorization = Some(value.trim().to_owned()),
            "host" => value.trim().clone_into(&mut asked.host),
            _ => {}
        }
    }
}
