//! Whom TLS trusts: the system's roots, and beside them the files that the caller names
//! (`SSL_CERT_FILE`, `GIT_SSL_CAINFO`, the `ca` of a host). Nothing switches verification off.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use thiserror::Error;

/// Why there is no TLS.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// A file that was named holds no certificate.
    #[error("{file}: {what}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no root at all.
    #[error("this system has no certificate authorities, and SSL_CERT_FILE names none")]
    NoRoots,
    /// rustls refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Where systems keep all their roots in one file (as `root_linux.go` and `root_bsd.go`
/// of `crypto/x509` know them).
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
];

/// Builds a client that trusts the system's roots and those of the given PEM files.
pub fn client(files: &[PathBuf]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    // A single unusable root of the system is no reason to stop.
    let (_, _) = roots.add_parsable_certificates(system());
    for file in files {
        let wrong = |what: String| Error::File { file: file.display().to_string(), what };
        let found = load_certs_from_paths(Some(file), None);
        if let Some(error) = found.errors.first() {
            return Err(wrong(error.to_string()));
        }
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            return Err(wrong("it holds no certificate in PEM".to_owned()));
        }
    }
    if roots.is_empty() {
        return Err(Error::NoRoots);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Loads the system's roots. Where `SSL_CERT_FILE` is set, rustls-native-certs reads that in their
/// place, and only the bundle says what the system trusts.
fn system() -> Vec<CertificateDer<'static>> {
    let mut roots = load_native_certs().certs;
    let bundle = BUNDLES.iter().map(Path::new).find(|file| file.is_file());
    roots.extend(load_certs_from_paths(bundle, None).certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::{Error, client};

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::File::create(&file).unwrap();
        for file in [file, folder.path().join("missing.pem")] {
            let Err(Error::File { file: named, .. }) = client(std::slice::from_ref(&file)) else {
                panic!("{} was taken", file.display());
            };
            assert_eq!(named, file.display().to_string());
        }
    }
}
