//! Connecting: all addresses of a name, staggered, each with a deadline (RFC 8305).
//!
//! Which addresses may be connected to is the caller's decision; it is asked for each address after
//! the name was resolved, so that no name leads around it.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use crate::{
    core::{address::Special, target::Host},
    net::{names, wire::Wire},
};

/// The next address is tried when the one before has not answered for this long (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// How long one address may take.
const PER_ADDRESS: Duration = Duration::from_secs(5);
/// How long all of it may take, the name included.
const TOTAL: Duration = Duration::from_secs(12);

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Veto {
    /// It is our own listener.
    Own,
    /// It is not for proxies.
    Special(Special),
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum Error {
    /// The name has no address.
    #[error("the name does not resolve")]
    NoName,
    /// No resolver answered in time.
    #[error("no resolver answered")]
    NameTimeout,
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// There was no answer.
    #[error("no answer within {} s", TOTAL.as_secs())]
    Timeout,
    /// There is no route to any of its addresses.
    #[error("no route")]
    Unreachable,
    /// We have no file left for a socket.
    #[error("gocred has too many open files")]
    NoFiles,
    /// Its addresses are all forbidden.
    #[error("the address {0} is not connected to")]
    Vetoed(IpAddr, Veto),
    /// Something else.
    #[error(transparent)]
    Other(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::Unreachable,
            io::ErrorKind::TimedOut => Self::Timeout,
            _ if is_out_of_files(&error) => Self::NoFiles,
            _ => Self::Other(error),
        }
    }
}

impl From<names::Error> for Error {
    fn from(error: names::Error) -> Self {
        match error {
            names::Error::NoAnswer => Self::NameTimeout,
            names::Error::NoName => Self::NoName,
        }
    }
}

/// Returns whether this process, or the system, has no file left.
pub fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24)) // ENFILE, EMFILE
}

/// Connects to a host. `veto` judges each address.
pub async fn dial(
    host: &Host,
    port: u16,
    veto: impl Fn(SocketAddr) -> Option<Veto>,
) -> Result<Wire, Error> {
    let deadline = Instant::now() + TOTAL;
    let resolve = resolve(host, port);
    let addresses = timeout_at(deadline, resolve).await.map_err(|_| Error::NameTimeout)??;
    let mut refused = None;
    let allowed: Vec<SocketAddr> = interleave(addresses)
        .into_iter()
        .filter(|address| match veto(*address) {
            None => true,
            Some(why) => {
                refused = Some(Error::Vetoed(address.ip(), why));
                false
            }
        })
        .collect();
    if allowed.is_empty() {
        return Err(refused.unwrap_or(Error::NoName));
    }
    let connected = timeout_at(deadline, race(allowed.into())).await.unwrap_or(Err(Error::Timeout));
    match (connected, refused) {
        // Where a name leads to us and to nobody else, that is what is wrong with it.
        (Err(_), Some(own @ Error::Vetoed(_, Veto::Own))) => Err(own),
        (connected, _) => connected.map(Wire::new),
    }
}

async fn resolve(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let name = match host {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => name.as_str(),
    };
    let mut addresses = names::resolve(name).await?.to_vec();
    for address in &mut addresses {
        address.set_port(port);
    }
    Ok(addresses)
}

/// Alternates between the families, beginning with that of the first address (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed.dedup();
    mixed
}

/// Tries the addresses; the first connection wins, the others are dropped. The error of the first
/// address that failed is the one that is told.
async fn race(mut waiting: VecDeque<SocketAddr>) -> Result<TcpStream, Error> {
    if let [address] = *waiting.make_contiguous() {
        return attempt(address).await;
    }
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        let next = waiting.pop_front();
        if let Some(address) = next {
            attempts.spawn(attempt(address));
        } else if attempts.is_empty() {
            return Err(failure.unwrap_or(Error::NoName));
        }
        let stagger = Instant::now() + STAGGER;
        tokio::select! {
            Some(Ok(result)) = attempts.join_next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = failure.or(Some(error)),
            },
            () = sleep_until(stagger), if !waiting.is_empty() => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> Result<TcpStream, Error> {
    match timeout(PER_ADDRESS, TcpStream::connect(address)).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Error::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{Error, Veto, dial, interleave};
    use crate::core::target::Host;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn families_take_turns_in_the_order_of_the_resolver() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(parse).to_vec();
        let mixed: Vec<String> = interleave(list).iter().map(ToString::to_string).collect();
        assert_eq!(mixed, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
    }

    #[test]
    fn a_closed_port_is_refused_and_a_vetoed_address_is_not_tried() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Host::parse("127.0.0.1").unwrap();
        assert!(run(dial(&host, port, |_| None)).is_ok());
        listener.accept().unwrap();
        let vetoed = run(dial(&host, port, |_| Some(Veto::Own)));
        assert!(matches!(vetoed, Err(Error::Vetoed(_, Veto::Own))));
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
        drop(listener);
        assert!(matches!(run(dial(&host, port, |_| None)), Err(Error::Refused)));
    }

    #[test]
    fn a_name_is_judged_by_what_it_resolves_to() {
        let host = Host::parse("localhost").unwrap();
        let result = run(dial(&host, 9, |address| address.ip().is_loopback().then_some(Veto::Own)));
        assert!(matches!(result, Err(Error::Vetoed(..))));
    }
}
