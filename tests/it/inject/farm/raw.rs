//! Servers that do to a connection what no real server would: bytes by hand.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::{IpAddr, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::net::sockopt;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// TLS over a connection.
pub(super) type Secured = StreamOwned<ServerConnection, TcpStream>;

/// Listens, and gives each connection to a thread of its own.
pub(super) fn listen_at(
    address: IpAddr,
    port: u16,
    answer: impl Fn(TcpStream) + Send + Sync + Copy + 'static,
) {
    let listener = TcpListener::bind((address, port)).expect("a port of the farm");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
}

/// The settings of TLS with the farm's certificate.
pub(super) fn settings(certs: &Path, client: Option<&Path>) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certs.join("server.pem")).expect("a certificate");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(certs.join("server.key")).expect("a key");
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            let root = CertificateDer::from_pem_file(authority).expect("the authority");
            roots.add(root).expect("the authority");
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    Arc::new(builder.with_single_cert(chain, key).expect("a certificate"))
}

/// Makes TLS of a connection.
pub(super) fn secure(settings: &Arc<ServerConfig>, stream: TcpStream) -> Option<Secured> {
    let connection = ServerConnection::new(Arc::clone(settings)).ok()?;
    Some(StreamOwned::new(connection, stream))
}

/// Reads a request's head; `None` where none comes.
pub(super) fn head(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 4096];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend(buffer.get(..count)?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Keeps a connection, and says nothing, for as long as the other end does.
pub(super) fn wait(mut stream: impl Read) {
    let mut buffer = [0_u8; 4096];
    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

/// Ends a connection with a reset.
pub(super) fn reset(stream: &TcpStream) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// Writes, and does not mind that nobody reads.
pub(super) fn say(stream: &mut impl Write, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
    let _ = stream.flush();
}
