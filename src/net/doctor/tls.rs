//! A handshake that is looked at: it goes on whatever the certificates are, and tells them, the verdict
//! on them, and why it failed.
//!
//! Who goes on after a bad verdict is the caller's decision; nothing of a user may be sent then.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, DnsName, ServerName, UnixTime},
};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use crate::{
    core::doctor::{
        certificate::parse,
        hello::{self, Offer, Reply},
        probe::{Certificate, CertificateFlaw, Tls, TlsFlaw},
        route::Trust,
        verdict,
    },
    net::{
        doctor::{
            roots, since,
            stream::{First, Stream, Watched, fill},
        },
        tls::Asked,
    },
    sys::clock,
};

/// Makes a connection secure. `early` was read from it before. There is no connection where the
/// handshake failed.
pub(super) async fn shake(
    stream: Stream,
    early: Vec<u8>,
    host: &str,
    trust: &Trust,
    until: Instant,
) -> (Tls, Option<Stream>) {
    let start = Instant::now();
    let witness = Arc::new(Witness::new(host, trust));
    let asked = Arc::new(Asked::default());
    let (watched, first) = Watched::new(stream, early);
    let shaken = match (configuration(&witness, &asked), server_name(host)) {
        (Some(config), Some(name)) => {
            let shake = TlsConnector::from(config).connect(name, watched);
            match timeout_at(until, shake).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(flaw(&error, &first)),
                Err(_) => Err(silent(&first)),
            }
        }
        _ => Err(TlsFlaw::Other("the name fits no handshake".to_owned())),
    };
    let seen = witness.seen();
    let mut tls = Tls {
        took: since(start),
        flaw: None,
        version: String::new(),
        chain: seen.chain,
        has_relative: witness.has_relative(seen.verdict.as_ref()),
        verdict: seen.verdict,
        asks_for_certificate: asked.yet(),
    };
    match shaken {
        Ok(stream) => {
            let version = stream.get_ref().1.protocol_version().map_or(0, u16::from);
            tls.version = hello::version(version);
            (tls, Some(Box::new(stream)))
        }
        Err(flaw) => {
            tls.flaw = Some(flaw);
            (tls, None)
        }
    }
}

/// Sends a hello of our own, and reads no further than the server's.
pub(super) async fn greet(mut stream: Stream, offer: Offer<'_>, name: &str, until: Instant) -> Tls {
    let start = Instant::now();
    let mut random = [0; 32];
    let _ = getrandom::fill(&mut random);
    let mut bytes = Vec::new();
    let greeted = async {
        stream.write_all(&hello::hello(offer, name, &random)).await?;
        stream.flush().await?;
        loop {
            match hello::read(&bytes) {
                Reply::More => {}
                reply => return Ok(reply),
            }
            if fill(&mut stream, &mut bytes).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    };
    let (version, flaw) = match timeout_at(until, greeted).await {
        Ok(Ok(Reply::Hello(version, _))) => (hello::version(version), None),
        Ok(Ok(Reply::Alert(number))) => (String::new(), Some(TlsFlaw::Alert(number))),
        Ok(Ok(_)) => {
            (String::new(), Some(TlsFlaw::NotTls(bytes.iter().take(256).copied().collect())))
        }
        Ok(Err(error)) => (String::new(), Some(broken(&error))),
        Err(_) => (String::new(), Some(TlsFlaw::Silent)),
    };
    Tls { took: since(start), flaw, version, ..Tls::default() }
}

/// Returns the alert that an error of a session that was established stands for: TLS 1.3 judges a
/// client's certificate after the handshake.
pub(super) fn late_alert(error: &io::Error) -> Option<TlsFlaw> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(alert) => Some(TlsFlaw::Alert(u8::from(*alert))),
        error => Some(TlsFlaw::Other(error.to_string())),
    }
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    let bare = host.trim_start_matches('[').trim_end_matches([']', '.']);
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => Some(ServerName::IpAddress(address.into())),
        Err(_) => Some(ServerName::DnsName(DnsName::try_from(bare.to_owned()).ok()?)),
    }
}

fn configuration(witness: &Arc<Witness>, asked: &Arc<Asked>) -> Option<Arc<ClientConfig>> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&witness.provider))
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(witness) as _)
        .with_client_cert_resolver(Arc::clone(asked) as _);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Arc::new(config))
}

fn flaw(error: &io::Error, first: &First) -> TlsFlaw {
    let bytes = first.bytes();
    // Content types of TLS (RFC 8446 §5.1): 20 to 23.
    let is_tls = matches!(bytes.first(), None | Some(20..=23));
    if !is_tls {
        return TlsFlaw::NotTls(bytes);
    }
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return broken(error);
    };
    match error {
        Error::AlertReceived(alert) => TlsFlaw::Alert(u8::from(*alert)),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => TlsFlaw::Old,
        error => TlsFlaw::Other(error.to_string()),
    }
}

fn broken(error: &io::Error) -> TlsFlaw {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => TlsFlaw::Reset,
        io::ErrorKind::UnexpectedEof => TlsFlaw::Closed,
        _ => TlsFlaw::Other(error.to_string()),
    }
}

/// A server that waits for something else than a handshake may say half a word.
fn silent(first: &First) -> TlsFlaw {
    let bytes = first.bytes();
    match bytes.first() {
        None | Some(20..=23) => TlsFlaw::Silent,
        Some(_) => TlsFlaw::NotTls(bytes),
    }
}

/// Sees the certificates, and takes them all.
#[derive(Debug)]
struct Witness {
    host: String,
    roots: roots::Roots,
    provider: Arc<CryptoProvider>,
    seen: Mutex<SeenChain>,
}

#[derive(Clone, Debug, Default)]
struct SeenChain {
    chain: Vec<Certificate>,
    verdict: Option<Result<(), CertificateFlaw>>,
}

impl Witness {
    fn new(host: &str, trust: &Trust) -> Self {
        Self {
            host: host.to_owned(),
            roots: roots::of(trust),
            provider: Arc::new(crypto::ring::default_provider()),
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> SeenChain {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether somebody is trusted who belongs to the organisation of an issuer that is not known.
    fn has_relative(&self, verdict: Option<&Result<(), CertificateFlaw>>) -> bool {
        let Some(Err(CertificateFlaw::UnknownIssuer(issuer))) = verdict else { return false };
        let organisation = |name: &str| {
            name.split(", ").find_map(|part| part.strip_prefix("O=")).map(str::to_owned)
        };
        let wanted = organisation(issuer);
        let mut trusted = self.roots.iter().map(|root| organisation(&root.shown.subject));
        wanted.is_some() && trusted.any(|own| own == wanted)
    }

    /// Takes note of a server that does not hold the key of its certificate, or whose proof cannot be
    /// checked: it is not trusted.
    fn proven<E: ToString>(
        &self,
        proof: Result<HandshakeSignatureValid, E>,
    ) -> HandshakeSignatureValid {
        if let Err(error) = proof {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.verdict == Some(Ok(())) {
                seen.verdict = Some(Err(CertificateFlaw::Other(error.to_string())));
            }
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let sent: Option<Vec<_>> =
            std::iter::once(leaf).chain(others).map(|der| parse(der)).collect();
        let seen = match sent {
            None => SeenChain {
                chain: Vec::new(),
                verdict: Some(Err(CertificateFlaw::Other("it cannot be read".to_owned()))),
            },
            Some(sent) => SeenChain {
                verdict: Some(verdict::judge(&sent, &self.roots, &self.host, clock::now())),
                chain: sent.into_iter().map(|certificate| certificate.shown).collect(),
            },
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        Ok(self.proven(crypto::verify_tls12_signature(message, certificate, signed, algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        Ok(self.proven(crypto::verify_tls13_signature(message, certificate, signed, algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
