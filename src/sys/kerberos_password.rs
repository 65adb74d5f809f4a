//! Kerberos from a stored password, where no ticket and no krb5 are at hand: `sspi` asks the KDC.
//!
//! Every login is a conversation with the KDC (two rounds for the user, one for the service): nothing
//! is cached, no cache of the system is read or written. Behind the feature `kerberos-password`,
//! because it costs 130 crates. It may wait: call it on a thread that may. Channel bindings are not
//! sent: MIT's acceptor refuses the form that `sspi` gives them (0.23.1 against krb5 1.20).

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, CredentialsBuffers,
    DataRepresentation, ErrorKind, Kerberos, KerberosConfig, NetworkProtocol, NetworkRequest,
    SecurityBuffer, SecurityStatus, Sspi, SspiImpl, Username, network_client::NetworkClient,
};
use thiserror::Error;

use crate::{
    core::{
        secret::{ExposeSecret, SecretString},
        text::printable,
    },
    sys::gss::Step,
};

/// How long a KDC may take to be reached, and to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read: tickets of users with many groups have some 64 KiB.
const LONGEST: usize = 1 << 20;

/// Why there is no token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The KDC says that the password is wrong: it must not be sent again.
    #[error("the KDC rejected the password")]
    Rejected,
    /// The KDC cannot be reached, or none is known.
    #[error("the KDC is out of reach: {0}")]
    Unreachable(String),
    /// Another reason, printable.
    #[error("Kerberos: {0}")]
    Failed(String),
}

/// A login at one service, on one connection.
pub struct Context {
    kerberos: Kerberos,
    credentials: Option<CredentialsBuffers>,
    service: String,
}

impl Context {
    /// Starts a login; nothing is sent yet. `user` is `DOMAIN\user` or `user@REALM`, `service` is
    /// `HTTP@host` or `HTTP/host`; without a `kdc` (`host:port`), `krb5.conf` names one.
    pub fn new(
        user: &str,
        password: &SecretString,
        service: &str,
        kdc: Option<&str>,
    ) -> Result<Self, Error> {
        let username = username(user)?;
        let password = password.expose_secret().to_owned().into();
        let identity = AuthIdentity { username, password };
        let mut config = KerberosConfig::new_with_kdc_url(kdc.unwrap_or_default(), String::new());
        if kdc.is_none() {
            config.kdc_resolution = sspi::KdcResolution::KdcUrl(None);
        }
        let mut kerberos = Kerberos::new_client_from_config(config).map_err(Error::from)?;
        let acquired = kerberos
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&identity.into())
            .execute(&mut kerberos)?;
        Ok(Self { kerberos, credentials: acquired.credentials_handle, service: principal(service) })
    }

    /// Takes what the server sent, nothing the first time, and returns what to send.
    pub fn step(&mut self, input: Option<&[u8]>) -> Result<Step, Error> {
        let Self { kerberos, credentials, service } = self;
        let token = input.unwrap_or_default().to_vec();
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = kerberos
            .initialize_security_context()
            .with_credentials_handle(credentials)
            .with_context_requirements(ClientRequestFlags::MUTUAL_AUTH)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(service)
            .with_input(&mut input)
            .with_output(&mut output);
        let status = kerberos
            .initialize_security_context_impl(&mut builder)?
            .resolve_with_client(&Kdc)?
            .status;
        let token = output.into_iter().next().map(|buffer| buffer.buffer).unwrap_or_default();
        Ok(Step { token, done: status == SecurityStatus::Ok })
    }
}

/// Reads a user. What stands behind the `@` is a realm: as a name of the enterprise type, which
/// `sspi` makes of it, neither MIT's KDC nor Samba's knows it.
fn username(user: &str) -> Result<Username, Error> {
    let parsed = match user.rsplit_once('@') {
        Some((name, realm)) => {
            Username::new_down_level_logon_name(name, &realm.to_ascii_uppercase())
        }
        None => Username::parse(user),
    };
    parsed.map_err(|error| Error::Failed(printable(&error.to_string())))
}

/// Returns a service as `sspi` takes it: `HTTP/host`, the realm being that of the user.
fn principal(service: &str) -> String {
    match service.split_once('/') {
        Some((name, host)) => {
            format!("{name}/{}", host.split('@').next().unwrap_or_default())
        }
        None => service.replacen('@', "/", 1),
    }
}

impl From<sspi::Error> for Error {
    fn from(error: sspi::Error) -> Self {
        let text = printable(&error.description);
        match error.error_type {
            // `KDC_ERR_PREAUTH_FAILED` (RFC 4120 §7.5.9) has no kind of its own.
            ErrorKind::KdcInvalidRequest if text.starts_with("pre-authentication information") => {
                Self::Rejected
            }
            ErrorKind::NoAuthenticatingAuthority => Self::Unreachable(text),
            _ => Self::Failed(text),
        }
    }
}

/// The way to a KDC: over TCP (RFC 4120 §7.2.2).
struct Kdc;

impl NetworkClient for Kdc {
    fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
        let unreachable =
            |text: String| sspi::Error::new(ErrorKind::NoAuthenticatingAuthority, text);
        if request.protocol != NetworkProtocol::Tcp {
            return Err(unreachable("only TCP is spoken with a KDC".to_owned()));
        }
        let host = request.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = request.url.port().unwrap_or(88);
        ask(host, port, &request.data)
            .map_err(|error| unreachable(format!("{host}:{port}: {error}")))
    }
}

/// Sends a message, and returns the answer, each with its length in front.
fn ask(host: &str, port: u16, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut connected = Err(io::ErrorKind::NotFound.into());
    for address in (host, port).to_socket_addrs()? {
        connected = TcpStream::connect_timeout(&address, PATIENCE);
        if connected.is_ok() {
            break;
        }
    }
    let mut stream = connected?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if size > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is too long"));
    }
    let mut answer = length.to_vec();
    answer.resize(length.len() + size, 0);
    stream.read_exact(answer.get_mut(length.len()..).unwrap_or_default())?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{Context, Error, principal};

    #[test]
    fn a_service_is_written_as_its_principal() {
        for (service, expected) in [
            ("HTTP@proxy.corp.example", "HTTP/proxy.corp.example"),
            ("HTTP/proxy.corp.example", "HTTP/proxy.corp.example"),
            ("HTTP/proxy.corp.example@CORP.EXAMPLE", "HTTP/proxy.corp.example"),
        ] {
            assert_eq!(principal(service), expected);
        }
    }

    #[test]
    fn a_kdc_that_is_not_there_is_out_of_reach() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let kdc = closed.to_string();
        let context = Context::new("ana@CORP.TEST", &"p".into(), "HTTP@h", Some(&kdc));
        let error = context.unwrap().step(None).unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error}");
    }
}
