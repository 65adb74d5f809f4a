//! What `gocred doctor` makes of certificates and handshakes, by those that openssl and rustls make.

mod handshake;
mod read;
mod verdict;

use std::{fs, path::PathBuf};

use gocred::core::doctor::certificate::{self, X509};

use crate::support::{home::Home, program};

const EC: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/// A folder with certificates: `NAME.pem`, its key `NAME.key`, and `NAME.der`.
struct Folder {
    home: Home,
    openssl: PathBuf,
}

impl Folder {
    /// Returns an empty one. `None`: skipped.
    fn new() -> Option<Self> {
        Some(Self { home: Home::new(), openssl: program("openssl", "openssl")? })
    }

    /// Runs openssl in the folder, and returns what it prints.
    fn openssl(&self, arguments: &[&str]) -> String {
        self.home.run(&self.openssl).args(arguments).output().success()
    }

    /// Makes a certificate with `openssl req -x509` and more arguments. Where an issuer is named, that one
    /// signs it, and not itself.
    fn make(&self, name: &str, issuer: Option<&str>, arguments: &[&[&str]]) -> X509 {
        let file = |name: &str, end: &str| format!("{name}.{end}");
        let (pem, key, der) = (file(name, "pem"), file(name, "key"), file(name, "der"));
        let mut all = vec!["req", "-x509", "-nodes", "-out", &pem, "-keyout", &key];
        let signer = issuer.map(|issuer| (file(issuer, "pem"), file(issuer, "key")));
        if let Some((certificate, key)) = &signer {
            all.extend(["-CA", certificate, "-CAkey", key]);
        }
        all.extend(arguments.concat());
        self.openssl(&all);
        self.openssl(&["x509", "-outform", "DER", "-in", &pem, "-out", &der]);
        certificate::parse(&self.der(name)).unwrap()
    }

    fn der(&self, name: &str) -> Vec<u8> {
        fs::read(self.home.path().join(format!("{name}.der"))).unwrap()
    }
}
