//! D09 and D10: a host's IPv6 addresses, of which one at least does not work.

use std::net::IpAddr;

use crate::core::doctor::{
    catalogue::entry,
    finding::{Finding, Kind, Severity},
    judge::n,
    leg::{self, Leg, Why},
    place::Place,
    probe::Twist,
    shell::quoted,
};

/// D09: there are only IPv6 addresses, and IPv6 does not work.
pub(super) fn only_v6(leg: &Leg<'_>) -> Option<Finding> {
    let addresses = leg.seen.names.as_ref()?.as_ref().ok()?;
    let is_name =
        leg.host().trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_err();
    if !is_name || addresses.is_empty() || addresses.iter().any(IpAddr::is_ipv4) {
        return None;
    }
    let host = leg.host();
    let finding = Finding::new(
        entry("D09"),
        format!("{host} has only IPv6 addresses, and none of them can be reached from here."),
    )
    .run(format!("curl -6 -sSv -o /dev/null {}", quoted(&leg.url())))
    .reproduce(format!("dig {host} A; dig {host} AAAA; ping -6 -c1 {host}"))
    .explains(&["N01", "N02", "N03", "N04"]);
    Some(tried(finding, leg))
}

/// D10: the IPv6 address does not work, and the IPv4 one does.
pub(super) fn bad_v6(leg: &Leg<'_>) -> Option<Finding> {
    let tcp = &leg.seen.tcp;
    let works = |is_v6: bool| {
        tcp.iter().any(|(address, stage)| address.is_ipv6() == is_v6 && stage.flaw.is_none())
    };
    let is_refused = tcp.iter().any(|(address, stage)| address.is_ipv6() && stage.flaw.is_some());
    let host = leg.host();
    let explained = ["N01", "N02", "N03", "N04", "T07", "T17", "T18", "T19"];
    if is_refused && works(false) {
        let cause = format!(
            "{host} has IPv6 addresses that cannot be reached from here; its IPv4 address is used after a delay."
        );
        let finding = Finding::new(entry("D10"), cause)
            .severity(Severity::Warning)
            .run(format!("curl -6 -sSv -o /dev/null {}", quoted(&leg.url())))
            .reproduce(format!("curl -6 -sSv -o /dev/null {}", quoted(&leg.url())));
        return Some(tried(finding, leg));
    }
    let by_four = leg.also(Why::Twist(Twist::V4))?;
    let four_works = leg::failed(by_four.seen, leg.purpose, leg.asked.trust.is_off).is_none();
    (leg.failed().is_some() && works(true) && four_works).then(|| {
        let cause = format!("Who answers at the IPv6 address of {host} is not who answers at its IPv4 address, where it works.");
        let finding = Finding::new(entry("D10"), cause)
            .run(format!("curl -4 -sSv -o /dev/null {}", quoted(&leg.url())))
            .reproduce(format!("curl -6 -sSv {0}; curl -4 -sSv {0}", quoted(&leg.url())))
            .severity(Severity::Error)
            .explains(&explained);
        tried(finding, leg)
    })
}

/// Adds each address that was tried.
fn tried(mut finding: Finding, leg: &Leg<'_>) -> Finding {
    for (address, stage) in &leg.seen.tcp {
        let observed =
            stage.flaw.map_or_else(|| "connected".to_owned(), |flaw| n::words(flaw).to_owned());
        let place = Place::Endpoint(address.to_string());
        finding = finding.seen(Kind::Tcp, place, observed, "a connection").took(stage.took);
    }
    finding
}
