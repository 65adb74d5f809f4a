//! Whether the tool's way to the URL of the text leads through a proxy, and of which kind.

use super::{Signs, proxy};
use crate::core::doctor::{
    machine::Machine,
    route::{Proxy, Route, Via},
};

/// What only happens on a way through a proxy.
pub(in crate::core::doctor::explain) const THROUGH: &[&str] = &[
    "D16", "P01", "P02", "P03", "P04", "P05", "P06", "P07", "P08", "P09", "P10", "P11", "P12",
    "P13", "P14", "P15", "P16", "P17", "P18", "P19", "P20", "P21", "P22", "P23", "P24", "P25",
    "P26", "P27", "P28", "P29", "P30", "P31", "P32", "P33", "P34", "P35", "K01", "K02", "K03",
    "K11", "E29", "E30", "E31", "E32", "E33", "E34", "E35", "E36",
];

/// Weighs it.
pub(super) fn weigh(route: &Route, machine: &Machine, signs: &mut Signs) {
    let Some(proxy) = proxy(route) else {
        if matches!(route.via, Via::Direct) {
            signs.add(-20, THROUGH);
        }
        return;
    };
    signs.add(20, THROUGH);
    if is_anothers(proxy, machine) {
        signs.add(20, &["K03"]);
    }
    match proxy.scheme.as_str() {
        "https" => {
            signs.add(20, &["P29", "P31"]);
            signs.add(-30, &["P30"]);
        }
        "http" => {
            signs.add(-30, &["P29", "P31"]);
            // Where TLS is expected of a proxy.
            let points = if [443, 8443].contains(&proxy.port) { 30 } else { 0 };
            signs.add(points, &["P30"]);
        }
        _ => signs.add(20, &["P32"]),
    }
}

/// Whether the program at a port of this machine is another user's.
fn is_anothers(proxy: &Proxy, machine: &Machine) -> bool {
    let address = proxy.host.parse::<std::net::IpAddr>().ok();
    let mut own = machine.listeners.iter();
    own.any(|(at, user)| {
        Some(at.ip()) == address && at.port() == proxy.port && *user != machine.uid
    })
}
