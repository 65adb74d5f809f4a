//! Names: a name that has no address, or the wrong one. Of the proxy's own name `p` speaks.

mod families;
mod pinned;
mod proxied;
#[cfg(test)]
pub(super) mod tests;
mod unresolved;

use std::{collections::BTreeSet, net::IpAddr};

use self::{
    families::{bad_v6, only_v6},
    unresolved::{addresses, unresolved},
};
use crate::core::doctor::{
    catalogue::entry,
    finding::{Confidence, Finding, Kind, Severity},
    judge::Case,
    leg::{Failed, Leg},
    place::Place,
    probe::{CertificateFlaw, Server},
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    // Without a file descriptor nothing can be read or asked, and what was seen means nothing.
    if super::n::few_descriptors(case).is_some() {
        return Vec::new();
    }
    if let Some(pinned) = &leg.asked.pinned {
        return pinned::finding(leg, pinned, case).into_iter().collect();
    }
    if leg.proxy().is_some() {
        return proxied::finding(leg).into_iter().collect();
    }
    let found = match leg.failed() {
        Some(Failed::Names(_)) => vec![unresolved(leg, case)],
        Some(Failed::Tcp(_)) => {
            [stale(leg, case), only_v6(leg), split(leg)].into_iter().flatten().take(1).collect()
        }
        Some(Failed::Tls(tls)) => {
            let is_another = matches!(
                tls.verdict,
                Some(Err(CertificateFlaw::WrongName | CertificateFlaw::NoNames))
            );
            let of_name = is_another.then(|| stale(leg, case).or_else(|| hijacked(leg))).flatten();
            of_name.into_iter().chain(bad_v6(leg)).collect()
        }
        Some(Failed::Http(_)) => hijacked_http(leg).into_iter().chain(bad_v6(leg)).collect(),
        _ => bad_v6(leg).into_iter().collect(),
    };
    found.into_iter().map(|finding| finding.affects(&leg.affects())).collect()
}

/// D11: the hosts file leads somewhere else than the name servers do, and there it does not work.
fn stale(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let names = leg.names?;
    let told: BTreeSet<IpAddr> = names.servers.iter().flat_map(addresses).collect();
    let (address, line) =
        names.file.iter().find(|(address, _)| !told.is_empty() && !told.contains(address))?;
    let host = leg.host();
    let path = &case.machine.hosts.path;
    let file = if path.as_os_str().is_empty() { "/etc/hosts".into() } else { path.clone() };
    let shown = file.display().to_string();
    Some(
        Finding::new(
            entry("D11"),
            format!(
                "{shown} line {line} says that {host} is {address}; the name servers say {}.",
                list(&told)
            ),
        )
        .seen(Kind::File, Place::File(file, Some(*line)), address.to_string(), list(&told))
        .run(format!("sudo sed -i '{line}d' {shown}"))
        .reproduce(format!("grep -n '{host}' {shown}; dig {host} A"))
        .explains(&["N01", "N02", "N03", "N04", "N05", "D09", "D10", "D12", "T07", "T08"]),
    )
}

/// D12: names that nobody has lead to the same address.
fn hijacked(leg: &Leg<'_>) -> Option<Finding> {
    let names = leg.names?;
    let own = names.system.as_ref().ok()?;
    let shared = names.wildcard.iter().find(|address| own.contains(address))?;
    let host = leg.host();
    let whose =
        leg.seen.tls.as_ref().and_then(|tls| tls.chain.first()).map(|it| it.names.join(", "));
    let server = names.servers.first().map(|server| server.address);
    let place = server.map_or_else(|| "name server".to_owned(), |address| address.to_string());
    Some(
        Finding::new(
            entry("D12"),
            format!(
                "Every name below the same domain leads to {shared}, and whoever answers there is not {host}{}: a login page, or a filter.",
                whose.filter(|names| !names.is_empty()).map(|names| format!(" but {names}")).unwrap_or_default()
            ),
        )
        .confidence(Confidence::Likely)
        .seen(Kind::Dns, Place::Endpoint(place), format!("{shared} for {host} and for a random name"), "NXDOMAIN for the random name")
        .run("gocred portal open")
        .reproduce(format!("dig {host} A; dig random-name-1234.{} A", host.split_once('.').map_or(host, |(_, parent)| parent)))
        .explains(&["T01", "T02", "T07", "T08", "H06", "H07", "H08"]),
    )
}

/// The same where the answer comes without TLS: a redirect to somebody else, or a page.
fn hijacked_http(leg: &Leg<'_>) -> Option<Finding> {
    let http = leg.seen.http.as_ref()?;
    let is_redirect = http
        .field("location")
        .is_some_and(|location| location.contains("://") && !location.contains(leg.host()));
    let is_plain = leg.asked.link.origin.scheme() == "http";
    (is_redirect && is_plain).then(|| hijacked(leg)).flatten()
}

/// D14: the servers lead to different addresses, and the one that was used does not work.
fn split(leg: &Leg<'_>) -> Option<Finding> {
    let names = leg.names?;
    let sets: Vec<(&Server, BTreeSet<IpAddr>)> = names
        .servers
        .iter()
        .map(|server| (server, addresses(server)))
        .filter(|(_, addresses)| !addresses.is_empty())
        .collect();
    let ((first, own), (other, theirs)) = (sets.first()?, sets.get(1)?);
    if !own.is_disjoint(theirs) {
        return None;
    }
    let host = leg.host();
    Some(
        Finding::new(
            entry("D14"),
            format!(
                "{} says that {host} is {}, {} says {}; the first was used, and does not work.",
                first.address,
                list(own),
                other.address,
                list(theirs)
            ),
        )
        .confidence(Confidence::Likely)
        .seen(Kind::Dns, Place::Endpoint(first.address.to_string()), list(own), list(theirs))
        .seen(Kind::Dns, Place::Endpoint(other.address.to_string()), list(theirs), "")
        .run("cat /etc/resolv.conf; resolvectl status")
        .reproduce(format!(
            "dig @{} {host} A; dig @{} {host} A",
            first.address.ip(),
            other.address.ip()
        ))
        .severity(Severity::Error)
        .explains(&["N01", "N02", "N03", "N04"]),
    )
}

fn list<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
