//! The hosts of the farm and their addresses.

use std::net::{IpAddr, Ipv4Addr};

use super::{origins, proxies, web};

/// Hosts at which nobody listens, or whose packets the firewall takes.
const FIXED: &[(&str, [u8; 4])] = &[
    ("refused.corp.test", [127, 0, 4, 1]),
    ("drop.corp.test", [127, 0, 4, 2]),
    ("adminproh.corp.test", [127, 0, 4, 3]),
    ("netunreach.corp.test", [127, 0, 4, 4]),
    ("rstfw.corp.test", [127, 0, 4, 5]),
    ("mtu.corp.test", [127, 0, 4, 6]),
    ("full.corp.test", [127, 0, 4, 7]),
    // A real sshd.
    ("ssh.corp.test", [127, 0, 4, 8]),
];

/// Returns every host with its address.
pub(super) fn all() -> Vec<(String, IpAddr)> {
    let mut names: Vec<String> = web::SITES.iter().map(|site| site.host.to_owned()).collect();
    names.extend(web::PROXIES.iter().map(|(host, _)| (*host).to_owned()));
    names.extend(origins::ALL.iter().map(|origin| format!("{}.corp.test", origin.name)));
    names.extend(proxies::ALL.iter().map(|(name, _)| format!("{name}.corp.test")));
    let fixed = FIXED.iter().map(|(host, address)| ((*host).to_owned(), IpAddr::from(*address)));
    let mut hosts: Vec<(String, IpAddr)> = fixed.collect();
    let mut number: u8 = 0;
    for name in names {
        if hosts.iter().all(|(host, _)| *host != name) {
            number += 1;
            hosts.push((name, Ipv4Addr::new(127, 77, 1, number).into()));
        }
    }
    hosts
}

/// Returns the address of a host.
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub(crate) fn address(name: &str) -> IpAddr {
    all().into_iter().find(|(host, _)| host == name).expect(name).1
}
