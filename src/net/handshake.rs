//! The TLS handshake with an upstream, and why there is none. It decides nothing about trust: that
//! is the [`Client`]'s.

use std::{io, time::Duration};

use rustls::{
    AlertDescription, CertificateError, ClientConnection,
    pki_types::{DnsName, ServerName},
};
use thiserror::Error;
use tokio::time::timeout;

use crate::{
    core::target::Host,
    net::{
        session::Session,
        tls::{Client, Shown},
        wire::Wire,
    },
};

/// How long it may take (resilience-security.md §4: before Go's 10 s).
const LIMIT: Duration = Duration::from_secs(8);

/// Why there is no TLS with a host.
#[derive(Debug, Error)]
pub enum Error {
    /// The connection broke.
    #[error(transparent)]
    Broken(io::Error),
    /// It wants to see a certificate, and none is configured.
    #[error("it wants a client certificate, and none is configured")]
    CertificateNeeded,
    /// It does not accept the certificate that is configured.
    #[error("it does not accept our client certificate ({0})")]
    CertificateRefused(String),
    /// It closed the connection.
    #[error("it closed the connection within the TLS handshake")]
    Closed,
    /// It does not speak TLS.
    #[error("it does not speak TLS")]
    NotTls,
    /// It broke the protocol, or we have nothing in common.
    #[error("TLS fails: {0}")]
    Protocol(String),
    /// It reset the connection.
    #[error("it reset the connection within the TLS handshake")]
    Reset,
    /// It did not finish in time.
    #[error("no TLS handshake within {} s", LIMIT.as_secs())]
    Timeout,
    /// Its certificate is not good.
    #[error("its certificate {0}")]
    Untrusted(Flaw),
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Flaw {
    /// It was issued by nobody whom we trust, or its issuer was not sent along.
    #[error("was issued by an authority that is not trusted here")]
    Authority,
    /// It is a certificate authority itself, and shown as a server's.
    #[error("is that of a certificate authority, not of a server")]
    AuthorityItself,
    /// It is of the past.
    #[error("has expired")]
    Expired,
    /// It names somebody else.
    #[error("is for {}", among(.0))]
    Name(Vec<String>),
    /// It is of the future.
    #[error("is not valid yet; is this machine's clock right?")]
    NotYet,
    /// Anything else.
    #[error("is not valid: {0}")]
    Other(String),
}

/// Makes a connection secure. Bytes that follow the handshake are left in it.
pub async fn connect(wire: Wire, client: &Client, host: &Host) -> Result<Wire, Error> {
    let session = begin(client, host)?;
    // A TLS server lets the client speak first.
    if !wire.unread.is_empty() {
        return Err(Error::NotTls);
    }
    let mut wire = wire.secured(session);
    timeout(LIMIT, finish(&mut wire)).await.map_err(|_| Error::Timeout)??;
    Ok(wire)
}

fn begin(client: &Client, host: &Host) -> Result<Session, Error> {
    let name = match host {
        Host::Address(address) => ServerName::IpAddress((*address).into()),
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            let name = DnsName::try_from(name).map_err(|error| Error::Protocol(error.to_string()));
            ServerName::DnsName(name?)
        }
    };
    let tls = ClientConnection::new(client.config(), name)
        .map_err(|error| Error::Protocol(error.to_string()))?;
    Ok(Session::new(tls, client.shown()))
}

async fn finish(wire: &mut Wire) -> Result<(), Error> {
    while wire.is_handshaking() {
        // Waiting to read also sends.
        let (read, unread, _) = wire.split();
        read.readable().await?;
        match read.try_read_buf(unread) {
            Ok(0) => return Err(Error::Closed),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (_, _, write) = wire.split();
    Ok(write.flush().await?)
}

impl Error {
    /// Explains why a session is void. In TLS 1.3 a server judges the client's certificate after
    /// the handshake, so this may come with the first read.
    pub(crate) fn of(error: &rustls::Error, shown: &Shown) -> Self {
        use rustls::{Error as Tls, InvalidMessage};
        match error {
            Tls::AlertReceived(alert) => Self::told(*alert, shown),
            Tls::InvalidCertificate(wrong) => Self::Untrusted(Flaw::of(wrong)),
            Tls::NoCertificatesPresented => {
                Self::Untrusted(Flaw::Other("there is none".to_owned()))
            }
            Tls::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            error => Self::Protocol(error.to_string()),
        }
    }

    /// Reads an alert (RFC 8446 §6.2). Some servers say nothing more than `handshake_failure` where
    /// they miss a certificate (RFC 5246 §7.4.6).
    fn told(alert: AlertDescription, shown: &Shown) -> Self {
        use AlertDescription as Alert;
        let about_ours = matches!(
            alert,
            Alert::AccessDenied
                | Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::HandshakeFailure
                | Alert::UnknownCA
                | Alert::UnsupportedCertificate
        );
        match shown {
            _ if alert == Alert::CertificateRequired => Self::CertificateNeeded,
            Shown::Nothing(asked) if about_ours && asked.yet() => Self::CertificateNeeded,
            Shown::Certificate if about_ours && alert != Alert::HandshakeFailure => {
                Self::CertificateRefused(format!("{alert:?}"))
            }
            Shown::Certificate | Shown::Nothing(_) => {
                Self::Protocol(format!("it answers with the alert {alert:?}"))
            }
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Reset,
                io::ErrorKind::UnexpectedEof => Self::Closed,
                _ => Self::Broken(error),
            },
        }
    }
}

impl Flaw {
    fn of(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYet
            }
            CertificateError::NotValidForName => Self::Name(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::Name(presented.iter().map(|name| bare(name)).collect())
            }
            // A bad signature is that of another authority of the same name.
            CertificateError::BadSignature | CertificateError::UnknownIssuer => Self::Authority,
            // webpki's, which rustls does not repeat.
            CertificateError::Other(other)
                if format!("{other:?}").contains("CaUsedAsEndEntity") =>
            {
                Self::AuthorityItself
            }
            error => Self::Other(error.to_string()),
        }
    }
}

/// Returns the name out of webpki's `DnsName("…")`.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

/// Lists the first names of a certificate, which may have hundreds.
fn among(names: &[String]) -> String {
    match names {
        [] => "another name".to_owned(),
        [a, b, c, _, ..] => format!("{a}, {b}, {c} and others"),
        names => names.join(" and "),
    }
}
