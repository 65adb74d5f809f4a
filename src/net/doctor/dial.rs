//! TCP connections, address by address: the system's own error of each is kept.
//!
//! Like go and curl it tries the addresses staggered (RFC 8305), and the first connection wins.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    core::{
        doctor::probe::{Stage, TcpFlaw, Twist},
        target::Host,
    },
    net::{
        dial::is_out_of_files,
        doctor::{since, until},
        names,
    },
};

/// How long one address may take.
const PER_ADDRESS: Duration = Duration::from_millis(3500);
/// How long a name may take: two turns of [`names::resolve`].
const NAMES: Duration = Duration::from_millis(4500);
/// When the next address is tried.
const STAGGER: Duration = Duration::from_millis(250);
/// More addresses than this are not tried.
const MAX_ADDRESSES: usize = 8;
/// The segment size that fits through every tunnel: the one of RFC 9293 §3.7.1 for IPv4.
const SMALL: u32 = 536;

/// Every address that was tried.
pub(super) type Tried = Vec<(SocketAddr, Stage<TcpFlaw>)>;

/// Resolves a name by the system, in the system's order.
pub(super) async fn resolve(host: &str, deadline: Instant) -> Result<Vec<IpAddr>, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    if let Ok(Host::Address(address)) = Host::parse(host) {
        return Ok(vec![address]);
    }
    match timeout_at(until(deadline, NAMES), names::resolve(bare)).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("no such host".to_owned()),
        Ok(Ok(addresses)) => Ok(addresses.iter().map(SocketAddr::ip).collect()),
        Ok(Err(names::Error::NoName)) => Err("no such host".to_owned()),
        Ok(Err(names::Error::NoAnswer)) | Err(_) => Err("no resolver answered".to_owned()),
    }
}

/// Connects to the first address that answers.
pub(super) async fn dial(
    addresses: &[IpAddr],
    port: u16,
    twist: Twist,
    deadline: Instant,
) -> (Option<TcpStream>, Tried) {
    let is_meant = |address: &&IpAddr| match twist {
        Twist::V4 => address.is_ipv4(),
        _ => true,
    };
    let mut waiting: VecDeque<(usize, SocketAddr)> = addresses
        .iter()
        .filter(is_meant)
        .take(MAX_ADDRESSES)
        .map(|address| SocketAddr::new(*address, port))
        .enumerate()
        .collect();
    let mut results = BTreeMap::new();
    let mut begun = Vec::new();
    let mut attempts = JoinSet::new();
    let mut winner = None;
    let mut next = Instant::now();
    while winner.is_none() && (!waiting.is_empty() || !attempts.is_empty()) {
        if attempts.is_empty() || Instant::now() >= next {
            if let Some((at, address)) = waiting.pop_front() {
                begun.push((at, address, Instant::now()));
                attempts
                    .spawn(async move { (at, address, attempt(address, twist, deadline).await) });
            }
            next = Instant::now() + STAGGER;
        }
        tokio::select! {
            Some(Ok((at, address, (took, result)))) = attempts.join_next() => {
                let flaw = match result {
                    Ok(stream) => {
                        winner = Some(stream);
                        None
                    }
                    Err(flaw) => Some(flaw),
                };
                results.insert(at, (address, Stage { took, flaw }));
            }
            () = sleep_until(next), if !waiting.is_empty() => {}
            else => break,
        }
    }
    // Whose turn was before the winner's has not answered by now: that is what made it wait.
    let won = results.iter().find(|(_, (_, stage))| stage.flaw.is_none()).map(|(at, _)| *at);
    for (at, address, start) in begun {
        if won.is_some_and(|won| at < won) {
            let silent = Stage { took: since(start), flaw: Some(TcpFlaw::Silent) };
            results.entry(at).or_insert((address, silent));
        }
    }
    (winner, results.into_values().collect())
}

async fn attempt(
    address: SocketAddr,
    twist: Twist,
    deadline: Instant,
) -> (u64, Result<TcpStream, TcpFlaw>) {
    let start = Instant::now();
    let connected = async {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if twist == Twist::SmallSegments {
            #[cfg(unix)]
            SockRef::from(&socket).set_tcp_mss(SMALL)?;
        }
        socket.connect(address).await
    };
    let result = match timeout_at(until(deadline, PER_ADDRESS), connected).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err(flaw(&error)),
        Err(_) => Err(TcpFlaw::Silent),
    };
    (since(start), result)
}

fn flaw(error: &io::Error) -> TcpFlaw {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => TcpFlaw::NoPort,
        io::ErrorKind::ConnectionRefused => TcpFlaw::Refused,
        io::ErrorKind::ConnectionReset => TcpFlaw::Reset,
        io::ErrorKind::HostUnreachable => TcpFlaw::HostUnreachable,
        io::ErrorKind::NetworkUnreachable => TcpFlaw::NetUnreachable,
        io::ErrorKind::PermissionDenied => TcpFlaw::Forbidden,
        io::ErrorKind::TimedOut => TcpFlaw::Silent,
        _ if is_out_of_files(error) => TcpFlaw::NoDescriptor,
        _ => TcpFlaw::Other(error.raw_os_error().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use tokio::time::Instant;

    use super::{dial, resolve};
    use crate::core::doctor::probe::{Stage, TcpFlaw, Twist};

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn every_address_that_was_tried_is_told_in_order() {
        run(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let addresses: [IpAddr; 2] = ["127.0.0.9", "127.0.0.1"].map(|it| it.parse().unwrap());
            let (stream, tried) = dial(&addresses, port, Twist::None, soon()).await;
            assert!(stream.is_some());
            let flaws: Vec<_> =
                tried.iter().map(|(at, Stage { flaw, .. })| (at.ip(), *flaw)).collect();
            assert_eq!(flaws, [(addresses[0], Some(TcpFlaw::Refused)), (addresses[1], None)]);
            let (stream, tried) = dial(&["::1".parse().unwrap()], port, Twist::V4, soon()).await;
            assert!(stream.is_none() && tried.is_empty());
            let (stream, _) = dial(&addresses[1..], port, Twist::SmallSegments, soon()).await;
            let mss = socket2::SockRef::from(&stream.unwrap()).tcp_mss().unwrap();
            assert!(mss <= 536, "{mss}");
        });
    }

    #[test]
    fn addresses_in_every_spelling_need_no_name_server() {
        run(async {
            for (host, address) in
                [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("0x7f.1", "127.0.0.1")]
            {
                assert_eq!(
                    resolve(host, soon()).await,
                    Ok(vec![address.parse().unwrap()]),
                    "{host}"
                );
            }
        });
    }
}
