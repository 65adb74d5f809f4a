//! Whom TLS trusts: the system's roots, and beside them the files that the caller names
//! (`SSL_CERT_FILE`, `GIT_SSL_CAINFO`, the `ca` of a host). And what it shows: a client certificate,
//! where an upstream has one. Nothing switches verification off.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, Resumption, WantsClientCert},
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{PemObject, SectionKind},
    },
    sign::CertifiedKey,
};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use secrecy::zeroize::{Zeroize, Zeroizing};
use thiserror::Error;

/// Why there is no TLS.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// A file that was named does not hold what it should.
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
pub(crate) const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
];

/// What an upstream's TLS is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpstreamTls<'a> {
    /// More roots: the upstream's `ca`, `SSL_CERT_FILE`, `GIT_SSL_CAINFO`.
    pub roots: &'a [PathBuf],
    /// The client certificate and its chain, PEM.
    pub client_cert: Option<&'a Path>,
    /// Its key; `None` looks for it in the certificate's file.
    pub client_key: Option<&'a Path>,
}

/// How we speak TLS with one upstream. Its sessions are resumed.
#[derive(Clone, Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
    shown: Shown,
}

/// What we show a server that wants to see a certificate.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    Certificate,
    Nothing(Arc<Asked>),
}

/// Remembers that a server wanted to see a certificate and was shown none.
#[derive(Debug, Default)]
pub(crate) struct Asked(AtomicBool);

impl Client {
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    pub(crate) fn shown(&self) -> Shown {
        self.shown.clone()
    }
}

impl Asked {
    pub(crate) fn yet(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Builds a client that trusts the system's roots and those of the given PEM files.
pub fn client(files: &[PathBuf]) -> Result<ClientConfig, Error> {
    Ok(trusting(files)?.with_no_client_auth())
}

/// Builds the client for an upstream.
pub fn upstream(settings: UpstreamTls<'_>) -> Result<Client, Error> {
    let builder = trusting(settings.roots)?;
    let (mut config, shown) = if let Some(file) = settings.client_cert {
        let (chain, key) = identity(file, settings.client_key.unwrap_or(file))?;
        let wrong = |error: rustls::Error| wrong(file, &format!("it cannot be shown: {error}"));
        let mut config = builder.with_client_auth_cert(chain, key).map_err(wrong)?;
        // OpenSSL refuses to resume a session with a client certificate where the server has set no
        // session id context (SSL_CTX_set_session_id_context(3)); squid has none by default.
        config.resumption = Resumption::disabled();
        (config, Shown::Certificate)
    } else {
        let asked = Arc::new(Asked::default());
        (builder.with_client_cert_resolver(Arc::clone(&asked) as _), Shown::Nothing(asked))
    };
    // A proxy's side of CONNECT is HTTP/1.1; h2 would be another protocol altogether.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Client { config: Arc::new(config), shown })
}

fn trusting(files: &[PathBuf]) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let mut roots = system().clone();
    for file in files {
        let found = load_certs_from_paths(Some(file), None);
        if let Some(error) = found.errors.first() {
            return Err(wrong(file, error));
        }
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            return Err(wrong(file, &"it holds no certificate in PEM"));
        }
    }
    if roots.is_empty() {
        return Err(Error::NoRoots);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(error.to_string()))?;
    Ok(builder.with_root_certificates(roots))
}

fn wrong(file: &Path, what: &dyn std::fmt::Display) -> Error {
    Error::File { file: file.display().to_string(), what: what.to_string() }
}

/// Reads a client certificate with its chain, and its key.
fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let read = |file: &Path| std::fs::read(file).map(Zeroizing::new).map_err(|e| wrong(file, &e));
    let mut chain = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&read(certificate)?) {
        match section.map_err(|error| wrong(certificate, &format!("it is no PEM: {error}")))? {
            (SectionKind::Certificate, der) => chain.push(der.into()),
            (_, mut der) => der.zeroize(),
        }
    }
    if chain.is_empty() {
        return Err(wrong(certificate, &"it holds no certificate in PEM"));
    }
    let pem = read(key)?;
    if [&b"ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| holds(&pem, mark))
    {
        return Err(wrong(key, &"its key is encrypted; gocred reads only keys without a password"));
    }
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Ok((chain, key)),
        Err(_) => Err(wrong(key, &"it holds no private key in PEM")),
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Loads the system's roots, once: it takes milliseconds. Where `SSL_CERT_FILE` is set,
/// rustls-native-certs reads that in their place, and only the bundle says what the system trusts.
fn system() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let bundle = BUNDLES.iter().map(Path::new).find(|file| file.is_file());
        // A single unusable root of the system is no reason to stop.
        for found in [load_native_certs(), load_certs_from_paths(bundle, None)] {
            let (_, _) = roots.add_parsable_certificates(found.certs);
        }
        roots
    })
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
