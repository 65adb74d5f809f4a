//! TLS servers: certificates of every kind, openssl's server, and a scripted one on rustls.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{home::Home, program};

/// A server's end of a TLS connection.
pub(crate) type Served = StreamOwned<ServerConnection, TcpStream>;

/// A folder with an authority, and what it signs.
pub(crate) struct Authority {
    pub(crate) home: Home,
    openssl: PathBuf,
}

impl Authority {
    /// Makes `ca.pem`. `None`: skipped.
    #[must_use]
    pub(crate) fn new() -> Option<Self> {
        let authority = Self { home: Home::new(), openssl: program("openssl", "openssl")? };
        authority.run("req -x509 -newkey EC -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=C");
        Some(authority)
    }

    /// Makes `NAME.pem` and `NAME.key` for these names, as in `DNS:h,IP:127.0.0.1`.
    pub(crate) fn sign(&self, name: &str, san: &str, days: i32) -> &Self {
        self.home.write("extensions", format!("subjectAltName={san}\nbasicConstraints=CA:false\n"));
        self.run(&format!("req -newkey EC -nodes -keyout {name}.key -out csr -subj /CN={name}"));
        self.run(&format!(
            "x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem \
             -days {days} -extfile extensions"
        ));
        self
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs openssl in the folder.
    pub(crate) fn run(&self, line: &str) {
        // `-newkey EC` alone names no curve.
        let line = line.replace("-newkey EC", "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1");
        self.home.run(&self.openssl).args(line.split_whitespace()).output().success();
    }

    /// Starts openssl's server, that sends every line back in reverse.
    pub(crate) fn openssl_server(&self, options: &str) -> OpensslServer {
        let server = self.home.run(&self.openssl);
        let server = server.args("s_server -accept 127.0.0.1:0 -rev".split_whitespace());
        let mut command = server.args(options.split_whitespace()).command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl s_server");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let address =
            lines.find_map(|line| line.expect("a line").strip_prefix("ACCEPT ").map(str::parse));
        // It stops where nobody reads what it says.
        thread::spawn(move || lines.for_each(drop));
        OpensslServer { child, address: address.expect("ACCEPT").expect("an address") }
    }

    /// Returns the configuration of a rustls server that shows `NAME.pem`.
    pub(crate) fn config(&self, name: &str) -> Arc<ServerConfig> {
        config(self.home.path(), name)
    }
}

/// Returns the configuration of a rustls server that shows `NAME.pem` of a folder.
pub(crate) fn config(folder: &Path, name: &str) -> Arc<ServerConfig> {
    let read = |end: &str| fs::read(folder.join(format!("{name}.{end}"))).expect("a PEM file");
    let chain = CertificateDer::from_pem_slice(&read("pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&read("key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key);
    Arc::new(config.expect("a key that fits"))
}

/// openssl's server; it ends with the value.
pub(crate) struct OpensslServer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves one connection after the other in a thread that ends with the last of the scripts.
pub(crate) fn serve<T: Send + 'static>(
    config: Arc<ServerConfig>,
    connections: usize,
    script: impl Fn(Served) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<T>>) {
    serve_tcp(connections, move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
        script(StreamOwned::new(session, stream))
    })
}

/// The same, without TLS.
pub(crate) fn serve_tcp<T: Send + 'static>(
    connections: usize,
    script: impl Fn(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<T>>) {
    serve_at("127.0.0.1:0", connections, script)
}

/// The same, on the first address of a name.
pub(crate) fn serve_at<T: Send + 'static>(
    at: &str,
    connections: usize,
    script: impl Fn(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind(at).expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = thread::spawn(move || {
        (0..connections).map(|_| script(listener.accept().expect("a client").0)).collect()
    });
    (address, thread)
}
