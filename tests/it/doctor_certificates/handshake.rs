//! The hellos that are written by hand, and a real server's answers.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use gocred::core::doctor::hello::{Offer, Reply, hello, read};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{EC, Folder};

/// A server of rustls: it has no old versions, and says so.
#[test]
fn a_real_server_answers_a_usual_hello_and_refuses_an_old_one() {
    let Some(folder) = Folder::new() else { return };
    folder.make("x", None, &[&EC, &["-subj", "/CN=x"]]);
    let chain = vec![CertificateDer::from(folder.der("x"))];
    let key = PrivateKeyDer::from_pem_file(folder.home.path().join("x.key")).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    assert_eq!(answer(&config, Offer::Usual), Reply::Hello(0x0303, 0xc02b));
    assert_eq!(answer(&config, Offer::These(&[0x2f, 0xc02c])), Reply::Hello(0x0303, 0xc02c));
    assert_eq!(answer(&config, Offer::These(&[0x2f])), Reply::Alert(40));
    // rustls says handshake_failure, OpenSSL protocol_version.
    assert_eq!(answer(&config, Offer::Old), Reply::Alert(40));
}

fn answer(config: &Arc<ServerConfig>, offer: Offer<'_>) -> Reply {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::clone(config);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut server = ServerConnection::new(config).unwrap();
        server.read_tls(&mut stream).unwrap();
        let _ = server.process_new_packets();
        while server.wants_write() {
            server.write_tls(&mut stream).unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&hello(offer, "x", &[1; 32])).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    server.join().unwrap();
    read(&bytes)
}
