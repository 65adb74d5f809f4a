//! Somebody with an unlocked keyring, a certificate authority, and gocred under the names that other
//! tools call it by; and a server of files behind TLS and a credential.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use gocred::front::neighbour::Tool;
use sha2::{Digest, Sha256};

use super::{
    home::{GOCRED, Home, Output, Run},
    keyring::Keyring,
    server::{Request, Server},
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

/// What a [`depot`] answers: status, fields with their line ends, body.
pub(crate) type Answer = (&'static str, String, Vec<u8>);

/// Starts a server of files behind TLS, on 127.0.0.1.
pub(crate) fn depot(
    authority: &Authority,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> Server {
    Server::serve(Some(authority.config("server")), move |request| {
        let (status, fields, body) = answer(request);
        [format!("{status}\r\n{fields}\r\n").as_bytes(), &body].concat()
    })
}
