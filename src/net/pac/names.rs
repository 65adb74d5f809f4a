//! Names and addresses for scripts: resolved by the system, kept for a while; and our own addresses.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

/// How long the addresses of a name are used. The system tells no time to live.
const KEPT: Duration = Duration::from_secs(60);
/// How long it is believed that a name has none.
const KEPT_NONE: Duration = Duration::from_secs(10);
/// How many names are kept.
const MAX_NAMES: usize = 1024;
/// How many names are resolved at once. A resolver that hangs keeps its thread for longer than
/// anybody waits, and the threads are those that resolve the targets of requests, too.
const MAX_AT_ONCE: usize = 16;
/// How many addresses of a name are used.
const MAX_ADDRESSES: usize = 16;

/// One look-up, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The name.
    pub name: String,
    /// What it resolved to.
    pub found: Found,
    /// How long it took.
    pub took: Duration,
}

/// What a name resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its addresses; there may be none.
    Addresses(Arc<[IpAddr]>),
    /// No resolver answered in time. A script takes it for a name without addresses.
    Timeout,
}

/// The names that were resolved.
#[derive(Debug)]
pub(super) struct Cache {
    names: Mutex<HashMap<String, Known>>,
    threads: Arc<Semaphore>,
}

#[derive(Debug)]
struct Known {
    addresses: Arc<[IpAddr]>,
    until: Instant,
}

impl Default for Cache {
    fn default() -> Self {
        Self { names: Mutex::default(), threads: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }
}

impl Cache {
    /// Returns the addresses of a name, if they are known.
    pub(super) fn get(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { addresses, until } = names.get(name)?;
        (Instant::now() < *until).then(|| Arc::clone(addresses))
    }

    /// Resolves a name, and keeps what it finds.
    pub(super) async fn resolve(&self, name: &str, deadline: Instant) -> Lookup {
        let start = Instant::now();
        let found = timeout_at(deadline, self.ask(name)).await.unwrap_or(Found::Timeout);
        let addresses = match &found {
            Found::Addresses(addresses) => Arc::clone(addresses),
            Found::Timeout => [].into(),
        };
        let kept = if addresses.is_empty() { KEPT_NONE } else { KEPT };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES {
            let now = Instant::now();
            names.retain(|_, known| now < known.until);
        }
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        names.insert(name.to_owned(), Known { addresses, until: Instant::now() + kept });
        drop(names);
        Lookup { name: name.to_owned(), found, took: start.elapsed() }
    }

    async fn ask(&self, name: &str) -> Found {
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let name = name.to_owned();
        let asked = spawn_blocking(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            // Not before the resolver has come back.
            drop(thread);
            found
        });
        match asked.await {
            Ok(Ok(found)) => {
                let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
                addresses.dedup();
                addresses.truncate(MAX_ADDRESSES);
                Found::Addresses(addresses.into())
            }
            Ok(Err(_)) | Err(_) => Found::Addresses([].into()),
        }
    }

    /// Forgets all names.
    pub(super) fn clear(&self) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Returns the addresses that this machine reaches others with, IPv6 first as Microsoft has it.
///
/// A datagram socket that is connected sends nothing, and knows which address the routes choose. The
/// Internet is asked first, then the private networks, for machines without a way to the former
/// (Chromium does the same).
pub(super) fn own() -> Vec<IpAddr> {
    let goals: [IpAddr; 6] = [
        Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888).into(),
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 1).into(),
        Ipv4Addr::new(8, 8, 8, 8).into(),
        Ipv4Addr::new(10, 0, 0, 1).into(),
        Ipv4Addr::new(172, 16, 0, 1).into(),
        Ipv4Addr::new(192, 168, 0, 1).into(),
    ];
    let mut own = Vec::new();
    for address in goals.into_iter().filter_map(|goal| source(goal).ok()) {
        if !address.is_loopback() && !address.is_unspecified() && !own.contains(&address) {
            own.push(address);
        }
    }
    own
}

fn source(goal: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if goal.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(SocketAddr::new(goal, 9))?;
    Ok(socket.local_addr()?.ip())
}
