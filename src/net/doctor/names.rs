//! What the system says of a name, what its hosts file says, and what each name server of
//! `/etc/resolv.conf` says by itself.

use std::net::{IpAddr, SocketAddr};

use tokio::{task::JoinSet, time::Instant};

use crate::{
    core::doctor::{
        dns::Kind,
        probe::{Names, Server},
    },
    net::doctor::{dial::resolve, resolver, since},
};

/// As many as the C library asks (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// Asks them all, side by side.
pub(super) async fn ask(host: &str, deadline: Instant) -> Names {
    let start = Instant::now();
    let servers = servers(&text("/etc/resolv.conf"));
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = bare.parse::<IpAddr>().is_err();
    let mut asked = JoinSet::new();
    for (at, server) in servers.iter().copied().enumerate().filter(|_| is_name) {
        let name = bare.to_owned();
        asked.spawn(async move { (at, ask_server(server, &name, deadline).await) });
    }
    let wildcard = async {
        match (servers.first(), random_name(bare)) {
            (Some(server), Some(name)) if is_name => {
                let answer = resolver::ask(*server, &name, Kind::A, deadline).await;
                answer.map(|answer| answer.addresses).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    };
    let system = async { (resolve(host, deadline).await, since(start)) };
    let servers = async {
        let mut told = Vec::new();
        while let Some(answered) = asked.join_next().await {
            told.extend(answered);
        }
        told.sort_by_key(|(at, _)| *at);
        told.into_iter().map(|(_, server)| server).collect()
    };
    let ((system, took), servers, wildcard) = tokio::join!(system, servers, wildcard);
    Names { system, took, file: file(&text("/etc/hosts"), bare), servers, wildcard }
}

async fn ask_server(address: SocketAddr, name: &str, deadline: Instant) -> Server {
    let start = Instant::now();
    let (a, aaaa) = tokio::join!(
        resolver::ask(address, name, Kind::A, deadline),
        resolver::ask(address, name, Kind::Aaaa, deadline),
    );
    Server { address, a, aaaa, took: since(start) }
}

/// Returns a name beside another one that nobody has.
fn random_name(name: &str) -> Option<String> {
    let (_, parent) = name.trim_end_matches('.').split_once('.')?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).ok()?;
    Some(format!("gocred-{:016x}.{parent}", u64::from_be_bytes(random)))
}

fn text(file: &str) -> String {
    std::fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Reads `nameserver` lines (resolv.conf(5)).
fn servers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let is_it = words.next() == Some("nameserver");
            let address = words.next().filter(|_| is_it)?;
            // A scope is of this machine; an address with one that we cannot say is left out.
            Some(SocketAddr::new(address.parse().ok()?, 53))
        })
        .take(MAX_SERVERS)
        .collect()
}

/// Reads the lines of a name in a hosts file (hosts(5)).
fn file(text: &str, name: &str) -> Vec<(IpAddr, usize)> {
    let name = name.trim_end_matches('.');
    text.lines()
        .zip(1..)
        .filter_map(|(line, number)| {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some((address, number))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{file, random_name, servers};

    #[test]
    fn the_systems_files_are_read() {
        let text = "# x\nsearch corp.test\nnameserver 127.0.0.53 # stub\nnameserver\tfe80::1\n\
                    nameserver fe80::1%eth0\nnameserver x\n";
        let shown: Vec<String> = servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.53:53", "[fe80::1]:53"]);
        let hosts = "127.0.0.1 localhost\n# 127.0.0.2 git.corp.test\n10.0.0.1 git GIT.corp.test # x\n::1 git.corp.test\n";
        let found: Vec<String> =
            file(hosts, "git.corp.test.").iter().map(|(at, line)| format!("{at}:{line}")).collect();
        assert_eq!(found, ["10.0.0.1:3", "::1:4"]);
    }

    #[test]
    fn a_random_name_is_in_the_same_domain() {
        let name = random_name("git.corp.test").unwrap();
        assert!(name.starts_with("gocred-") && name.ends_with(".corp.test"), "{name}");
        assert_eq!(random_name("localhost"), None);
    }
}
