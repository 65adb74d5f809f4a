//! The proxy within the test process, with a vault of one account: for thousands of logins, where a
//! keyring would only be slow. What is tested of the vault of the real daemon is in `proxy_auth`.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gocred::{
    core::{
        auth::floor::Floor,
        config::Config,
        origin::Origin,
        secret::{ExposeSecret, SecretString},
    },
    net::pac::Program,
    proxy::{Account, Callers, Engine, Plan, Proxy, Settings, Trouble, Vault},
    sys::env::Env,
};

use super::proxy_lab::Client;

/// The user of every vault here.
pub(crate) const USER: &str = "CORP\\ana";
/// Their password.
pub(crate) const PASSWORD: &str = "s3cret";

/// A vault that knows one account for every upstream, and forgets when it is told to.
pub(crate) struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    password: String,
    rejected: Vec<(String, String)>,
    floor: Option<Floor>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores another password: it was rejected by nobody yet.
    pub(crate) fn set_password(&self, password: &str) {
        password.clone_into(&mut self.lock().password);
    }

    /// Returns how many rejections are remembered.
    pub(crate) fn rejections(&self) -> usize {
        self.lock().rejected.len()
    }
}

impl Vault for Memory {
    fn account(&self, _: &Origin, _: Option<&str>) -> Result<Option<Account>, Trouble> {
        let password = SecretString::from(self.lock().password.clone());
        Ok(Some(Account { user: USER.to_owned(), password }))
    }

    fn is_rejected(&self, _: &Origin, realm: &str, account: &Account) -> bool {
        let key = (realm.to_owned(), account.password.expose_secret().to_owned());
        self.lock().rejected.contains(&key)
    }

    fn reject(&self, _: &Origin, realm: &str, account: &Account) {
        let key = (realm.to_owned(), account.password.expose_secret().to_owned());
        self.lock().rejected.push(key);
    }

    fn floor(&self, _: &Origin) -> Option<Floor> {
        self.lock().floor
    }

    fn raise_floor(&self, _: &Origin, floor: Floor) {
        self.lock().floor = Some(floor);
    }
}

/// A vault without secrets.
pub(crate) struct NoVault;

impl Vault for NoVault {
    fn account(&self, _: &Origin, _: Option<&str>) -> Result<Option<Account>, Trouble> {
        Ok(None)
    }
    fn is_rejected(&self, _: &Origin, _: &str, _: &Account) -> bool {
        false
    }
    fn reject(&self, _: &Origin, _: &str, _: &Account) {}
    fn floor(&self, _: &Origin) -> Option<Floor> {
        None
    }
    fn raise_floor(&self, _: &Origin, _: Floor) {}
}

/// A running proxy; it ends with the value.
pub(crate) struct Within {
    pub(crate) address: SocketAddr,
    pub(crate) vault: Arc<Memory>,
    pub(crate) proxy: Proxy,
    server: Option<JoinHandle<()>>,
}

impl Within {
    /// Starts it in front of an upstream, given by its URL.
    pub(crate) fn through(upstream: &str) -> Self {
        Self::trusting(upstream, Vec::new())
    }

    /// The same, with several upstreams, the best first.
    pub(crate) fn through_all(upstreams: &[&str]) -> Self {
        Self::with(upstreams, Vec::new())
    }

    /// The same, with files of certificate authorities.
    pub(crate) fn trusting(upstream: &str, roots: Vec<PathBuf>) -> Self {
        Self::with(&[upstream], roots)
    }

    fn with(upstreams: &[&str], roots: Vec<PathBuf>) -> Self {
        let inner = Inner { password: PASSWORD.to_owned(), ..Inner::default() };
        let vault = Arc::new(Memory(Mutex::new(inner)));
        let settings =
            settings(upstreams, Callers::Uid, Arc::clone(&vault) as Arc<dyn Vault>, roots);
        let listener = door();
        let address = listener.local_addr().expect("an address");
        let proxy = Proxy::new(settings, vec![address], 4096).expect("a proxy");
        let server = serve(&proxy, listener);
        Self { address, vault, proxy, server: Some(server) }
    }

    /// Reads the configuration anew, as after `login --proxy`.
    pub(crate) fn reload(&self, upstream: &str) {
        self.proxy.reload(plan(&[upstream]));
    }

    /// Sends bytes on a new connection, and returns everything that comes back until it is closed; of
    /// a tunnel, its head.
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = Client::to(self.address);
        client.send(bytes.as_ref());
        let head = client.head().unwrap_or_default();
        if head.starts_with("HTTP/1.1 200") && bytes.as_ref().starts_with(b"CONNECT ") {
            return head;
        }
        head + &client.until_end()
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.proxy.stop();
        // A task that has panicked is aborted with the runtime; its message is what to look at.
        if let Some(server) = self.server.take()
            && !thread::panicking()
        {
            server.join().expect("the proxy ends well");
        }
    }
}

/// Returns what a proxy with these upstreams is made of.
pub(crate) fn settings(
    upstreams: &[&str],
    callers: Callers,
    vault: Arc<dyn Vault>,
    roots: Vec<PathBuf>,
) -> Settings {
    let program = Program { path: "/nonexistent".into(), arguments: Vec::new(), zone: None };
    Settings {
        plan: plan(upstreams),
        roots,
        engine: Engine { program, env: Env::of(&[]) },
        callers,
        vault,
        voice: Box::new(|_| {}),
    }
}

fn plan(upstreams: &[&str]) -> Plan {
    let mut config = Config::default();
    for upstream in upstreams {
        let upstream = gocred::core::config::Upstream::parse(upstream).expect("a URL");
        config.proxy.upstream.push(upstream);
    }
    Plan::new(config).expect("a plan")
}

/// Opens a port for a proxy.
pub(crate) fn door() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("not blocking");
    listener
}

/// Lets a proxy serve until it is stopped.
pub(crate) fn serve(proxy: &Proxy, door: TcpListener) -> JoinHandle<()> {
    let serving = proxy.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(door).expect("a listener");
            serving.serve(vec![listener]).await;
        });
    })
}

/// Returns the heads that carry a proof of the password: not the first message of NTLM.
pub(crate) fn proofs(heads: &[String]) -> Vec<&str> {
    heads.iter().filter_map(|head| proof(head)).collect()
}

/// Returns the value of `Proxy-Authorization`, if it proves the password.
pub(crate) fn proof(head: &str) -> Option<&str> {
    let field = |line: &'_ str| line.to_ascii_lowercase().starts_with("proxy-authorization:");
    let value = head.split("\r\n").find(|line| field(line))?.split_once(": ")?.1;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("NTLM") || scheme.eq_ignore_ascii_case("Negotiate") {
        let message = STANDARD.decode(token).unwrap_or_default();
        let is_third = message.windows(12).any(|at| at == b"NTLMSSP\0\x03\0\0\0");
        return is_third.then_some(value);
    }
    Some(value)
}
