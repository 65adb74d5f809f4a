//! Transport: connections that do not come about, or through which large packets do not pass. Of the
//! connection to a proxy `p` speaks.

use crate::core::doctor::{
    catalogue::entry,
    finding::{Confidence, Finding, Kind, Severity},
    judge::Case,
    leg::{self, Failed, Leg, Why},
    place::Place,
    probe::{ReadFlaw, TcpFlaw, TlsFlaw, Twist},
    shell::quoted,
};

/// With fewer descriptors than this go cannot work.
const FEW: u64 = 32;
/// A connection that took so long lost its first packet: it is sent again after a second (RFC 6298 §2).
const LATE: u64 = 1000;

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    if let Some(finding) = few_descriptors(case) {
        return vec![finding.affects(&leg.affects())];
    }
    let found = match leg.failed() {
        Some(Failed::Tcp(_)) if leg.proxy().is_none() => Some(unconnected(leg)),
        Some(Failed::Tls(tls)) if tls.flaw == Some(TlsFlaw::Silent) => black_hole(leg),
        Some(Failed::Http(http)) if matches!(http.flaw, Some(ReadFlaw::Silent(_))) => {
            black_hole(leg)
        }
        None => late(leg),
        _ => None,
    };
    found.into_iter().map(|finding| finding.affects(&leg.affects())).collect()
}

/// Returns what a flaw is called.
pub(super) fn words(flaw: TcpFlaw) -> &'static str {
    match flaw {
        TcpFlaw::NoPort => "no local port left (EADDRNOTAVAIL)",
        TcpFlaw::NoDescriptor => "no file descriptor left (EMFILE)",
        TcpFlaw::Refused => "connection refused (ECONNREFUSED)",
        TcpFlaw::Reset => "connection reset (ECONNRESET)",
        TcpFlaw::Silent => "no answer",
        TcpFlaw::HostUnreachable => "no route to host (EHOSTUNREACH)",
        TcpFlaw::NetUnreachable => "network is unreachable (ENETUNREACH)",
        TcpFlaw::Forbidden => "not permitted (EACCES, EPERM)",
        TcpFlaw::Other(_) => "another error",
    }
}

/// N01 to N05, N07, N09. Of several addresses the IPv4 one counts: it is the one that usually works.
fn unconnected(leg: &Leg<'_>) -> Finding {
    let tcp = &leg.seen.tcp;
    let counts = tcp.iter().find(|(address, _)| address.is_ipv4()).or_else(|| tcp.first());
    let flaw = counts.and_then(|(_, stage)| stage.flaw).unwrap_or(TcpFlaw::Silent);
    let place = leg.endpoint();
    let (code, cause) = match flaw {
        TcpFlaw::Refused => ("N01", format!("Nothing listens at {place}, or a firewall says so.")),
        TcpFlaw::Silent => (
            "N02",
            format!(
                "{place} does not answer at all: a firewall drops the packets, or the way leads through a proxy."
            ),
        ),
        TcpFlaw::HostUnreachable => (
            "N03",
            format!("A firewall or router says that {place} must not or cannot be reached."),
        ),
        TcpFlaw::Forbidden => {
            ("N03", format!("This machine's own firewall lets nobody connect to {place}."))
        }
        TcpFlaw::NetUnreachable => ("N04", format!("This machine has no route to {place}.")),
        TcpFlaw::Reset => (
            "N05",
            format!(
                "{place} takes the connection and resets it before anything was said: a list of allowed addresses, or an IPS."
            ),
        ),
        TcpFlaw::NoDescriptor => ("N07", "This process may open no more files.".to_owned()),
        TcpFlaw::NoPort => ("N09", format!("This machine has no local port left for {place}.")),
        TcpFlaw::Other(number) => {
            ("N03", format!("{place} cannot be connected to (errno {number})."))
        }
    };
    let mut finding = Finding::new(entry(code), cause).reproduce(curl(leg));
    if matches!(flaw, TcpFlaw::Other(_)) {
        finding = finding.confidence(Confidence::Possible);
    }
    for (address, stage) in tcp {
        let observed = stage.flaw.map_or("connected", words);
        let place = Place::Endpoint(address.to_string());
        finding = finding.seen(Kind::Tcp, place, observed, "a connection").took(stage.took);
    }
    match flaw {
        TcpFlaw::NetUnreachable => finding.run("ip route"),
        TcpFlaw::NoDescriptor => finding.run("ulimit -n 4096"),
        TcpFlaw::NoPort => finding.run("ss -s; sysctl net.ipv4.ip_local_port_range"),
        _ => finding.run(curl(leg)),
    }
}

fn curl(leg: &Leg<'_>) -> String {
    format!("curl -sSv --connect-timeout 5 -o /dev/null {}", quoted(&leg.url()))
}

/// N07, known before anything was asked: with so few descriptors what was seen means nothing.
pub(super) fn few_descriptors(case: &Case<'_>) -> Option<Finding> {
    let limit = case.machine.descriptors.filter(|limit| *limit < FEW)?;
    Some(
        Finding::new(
            entry("N07"),
            format!("Programs that are started here may open {limit} files, which is too few for go and git."),
        )
        .seen(Kind::Program, Place::Default("the shell: ulimit -n"), limit.to_string(), "1024 or more")
        .run("ulimit -n 4096")
        .reproduce("ulimit -n")
        // git cannot even read its files.
        .explains(&[
            "D01", "D02", "D03", "D04", "D05", "D06", "D08", "D15", "E46", "N01", "N02", "N03",
            "P26", "P27", "P28", "T20", "T21",
        ]),
    )
}

/// N06: it stalls, and with small segments it does not.
fn black_hole(leg: &Leg<'_>) -> Option<Finding> {
    let small = leg.also(Why::Twist(Twist::SmallSegments))?;
    let was_silent = |trace: &crate::core::doctor::probe::Trace| {
        trace.tls.as_ref().is_none_or(|tls| tls.flaw.is_some())
            || trace
                .http
                .as_ref()
                .is_some_and(|http| matches!(http.flaw, Some(ReadFlaw::Silent(_))))
    };
    if was_silent(small.seen)
        || leg::failed(small.seen, leg.purpose, true)
            .is_some_and(|failed| matches!(failed, Failed::Tcp(_) | Failed::Connect(_)))
    {
        return None;
    }
    let place = leg.endpoint();
    let finding = Finding::new(
        entry("N06"),
        format!("Large packets from or to {place} get lost on the way and nobody says so: small ones pass. A VPN or tunnel is narrower than it says."),
    )
    .seen(Kind::Tls, Place::Endpoint(place), "it stalls; with segments of 536 bytes it goes on", "the same with every size")
    .took(leg.seen.tls.as_ref().map_or(0, |tls| tls.took))
    .run("sudo ip link set dev DEVICE mtu 1280")
    .reproduce(format!("ping -M do -s 1400 -c 2 {}; curl -sSv -o /dev/null {}", leg.host(), quoted(&leg.url())))
    .explains(&["T19", "H01", "H02", "P17"]);
    Some(finding)
}

/// N08: it works, and the first packet got lost.
fn late(leg: &Leg<'_>) -> Option<Finding> {
    let (address, stage) =
        leg.seen.tcp.iter().find(|(_, stage)| stage.flaw.is_none() && stage.took >= LATE)?;
    let finding = Finding::new(
        entry("N08"),
        format!(
            "{} answers late: packets get lost on the way, or the way is very long.",
            leg.endpoint()
        ),
    )
    .severity(Severity::Warning)
    .confidence(Confidence::Likely)
    .seen(
        Kind::Tcp,
        Place::Endpoint(address.to_string()),
        "connected late",
        format!("within {LATE} ms"),
    )
    .took(stage.took)
    .run(format!("ping -c 20 {}", leg.host()))
    .reproduce(format!("ping -c 20 {}", leg.host()));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::{FEW, LATE, findings};
    use crate::core::doctor::{
        finding::Severity,
        judge::d::tests::{judged, leg, tcp},
        leg::{Also, Why},
        machine::Machine,
        probe::{Http, TcpFlaw, Tls, TlsFlaw, Trace, Twist},
        route::Trust,
    };

    #[test]
    fn errno_names_the_code_and_ipv4_counts() {
        for (flaw, code) in [
            (TcpFlaw::Refused, "N01"),
            (TcpFlaw::Silent, "N02"),
            (TcpFlaw::HostUnreachable, "N03"),
            (TcpFlaw::Forbidden, "N03"),
            (TcpFlaw::NetUnreachable, "N04"),
            (TcpFlaw::Reset, "N05"),
            (TcpFlaw::NoDescriptor, "N07"),
            (TcpFlaw::NoPort, "N09"),
            (TcpFlaw::Other(22), "N03"),
        ] {
            let seen = tcp(&[("::1", Some(TcpFlaw::NetUnreachable)), ("127.0.4.1", Some(flaw))]);
            let found = judged(findings, &leg(seen, None), &Machine::default());
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].entry.code, found[0].evidence.len()), (code, 2));
            assert!(!found[0].fix.command.is_empty() && !found[0].reproduce.is_empty());
        }
    }

    #[test]
    fn what_only_large_packets_stall_is_told() {
        let stalled = Trace {
            tls: Some(Tls { flaw: Some(TlsFlaw::Silent), ..Tls::default() }),
            ..tcp(&[("127.0.4.6", None)])
        };
        let small = Trace {
            tls: Some(Tls { verdict: Some(Ok(())), ..Tls::default() }),
            http: Some(Http { status: Some(200), ..Http::default() }),
            ..tcp(&[("127.0.4.6", None)])
        };
        let mut one = leg(stalled.clone(), None);
        assert!(judged(findings, &one, &Machine::default()).is_empty());
        let (why, trust) = (Why::Twist(Twist::SmallSegments), &Trust::default());
        one.also = vec![Also { why, trust, seen: &stalled }];
        assert!(judged(findings, &one, &Machine::default()).is_empty());
        one.also = vec![Also { why, trust, seen: &small }];
        let found = judged(findings, &one, &Machine::default());
        assert_eq!(found[0].entry.code, "N06");
        assert!(found[0].suppresses.contains("T19"));
    }

    #[test]
    fn too_few_descriptors_are_told_whatever_was_seen() {
        let machine =
            |descriptors| Machine { descriptors: Some(descriptors), ..Machine::default() };
        let good = tcp(&[("127.0.0.10", None)]);
        let found = judged(findings, &leg(good.clone(), None), &machine(FEW - 1));
        assert_eq!(found[0].entry.code, "N07");
        assert!(judged(findings, &leg(good, None), &machine(FEW)).is_empty());
    }

    #[test]
    fn a_late_connection_is_a_warning() {
        let mut seen = tcp(&[("127.0.0.10", None)]);
        seen.tcp[0].1.took = LATE;
        let found = judged(findings, &leg(seen, None), &Machine::default());
        assert_eq!((found[0].entry.code, found[0].severity), ("N08", Severity::Warning));
    }
}
