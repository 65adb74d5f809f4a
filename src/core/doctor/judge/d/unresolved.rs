//! A name that has no address: what each name server says, and which of them decides.

use std::{collections::BTreeSet, net::IpAddr};

use super::list;
use crate::core::doctor::{
    catalogue::entry,
    finding::{Confidence, Finding, Kind, Severity},
    judge::Case,
    leg::Leg,
    machine::Text,
    place::Place,
    probe::{DnsFlaw, Names, Server},
};

/// Explains a name without an address.
pub(super) fn unresolved(leg: &Leg<'_>, case: &Case<'_>) -> Finding {
    let host = leg.host();
    if !is_host_name(host) {
        return Finding::new(
            entry("D13"),
            format!("`{host}` is no host name: nobody can have it."),
        )
        .seen(
            Kind::Dns,
            Place::Endpoint(host.to_owned()),
            "not asked for",
            "labels of letters, digits and `-`, with one dot between them",
        )
        .reproduce(format!("getent hosts '{host}'"));
    }
    let Some(names) = leg.names else {
        return Finding::new(entry("D01"), format!("The name {host} has no address here."))
            .confidence(Confidence::Possible)
            .reproduce(format!("getent hosts {host}"));
    };
    if names.servers.is_empty() {
        return without_server(host, case);
    }
    // The C library and go ask one server after the other, until one knows whether the name exists.
    let decisive = names.servers.iter().position(knows);
    let has_it = names.servers.iter().position(|server| !addresses(server).is_empty());
    match (decisive, has_it) {
        (Some(first), Some(other)) if first < other => split_names(host, names, first, other),
        (_, Some(other)) => passed_over(host, names, other, case),
        (Some(first), None) => silence_or_code(host, names, first),
        (None, None) => silence_or_code(host, names, 0),
    }
    // The tool has no address: whatever the code usually is, here it is an error.
    .severity(Severity::Error)
}

/// Returns whether a server's answer ends the search: addresses, or that there are none.
fn knows(server: &Server) -> bool {
    [&server.a, &server.aaaa].into_iter().flatten().any(|answer| matches!(answer.code, 0 | 3))
}

pub(super) fn addresses(server: &Server) -> BTreeSet<IpAddr> {
    let answers = [&server.a, &server.aaaa].into_iter().flatten();
    answers.flat_map(|answer| answer.addresses.iter().copied()).collect()
}

fn without_server(host: &str, case: &Case<'_>) -> Finding {
    let resolv = &case.machine.resolv;
    let is_empty = |text: &Text| {
        let lines = text.lines.as_deref().unwrap_or_default();
        !lines.iter().any(|line| line.raw().trim_start().starts_with("nameserver"))
    };
    let observed = match &resolv.lines {
        None => "it is not there",
        Some(_) if is_empty(resolv) => "no nameserver line",
        Some(_) => "no nameserver line that can be used",
    };
    let path = &resolv.path;
    let file = if path.as_os_str().is_empty() { "/etc/resolv.conf".into() } else { path.clone() };
    let shown = file.display().to_string();
    Finding::new(
        entry("D06"),
        format!("{shown} names no name server, so {host} and every other name has no address."),
    )
    .seen(Kind::File, Place::File(file, None), observed, "nameserver ADDRESS")
    .run("sudo systemctl restart systemd-resolved || sudo dhclient -r && sudo dhclient")
    .reproduce(format!("cat {shown}; getent hosts {host}"))
    .explains(&["D01", "D02", "D03", "D04", "D05"])
}

/// Explains what the server says that was asked first, or that decides.
fn silence_or_code(host: &str, names: &Names, at: usize) -> Finding {
    let Some(server) = names.servers.get(at) else {
        return Finding::new(entry("D01"), format!("The name {host} has no address here."));
    };
    let (code, cause) = meaning(host, names, server);
    let (address, ip) = (server.address, server.address.ip());
    let expected = format!("an address of {host}");
    let mut finding = Finding::new(entry(code), cause)
        .seen(Kind::Dns, Place::Endpoint(address.to_string()), told(server), expected)
        .took(server.took)
        .reproduce(format!("dig @{ip} {host} A"));
    for other in names.servers.iter().filter(|other| other.address != address) {
        let place = Place::Endpoint(other.address.to_string());
        finding = finding.seen(Kind::Dns, place, told(other), "").took(other.took);
    }
    match code {
        "D04" | "D05" => {
            finding.run(format!("dig @{ip} {host} A +time=2 +tries=1; cat /etc/resolv.conf"))
        }
        _ => finding.run(format!("getent hosts {host}")),
    }
}

/// Returns the code of what a server says, and the cause in a sentence.
fn meaning(host: &str, names: &Names, server: &Server) -> (&'static str, String) {
    let at = format!("The name server {}", server.address);
    let answer = match &server.a {
        Ok(answer) => answer,
        Err(flaw) => return silence(&at, host, *flaw),
    };
    match answer.code {
        0 => ("D01", format!("{at} knows {host}, but no address of it.")),
        2 => ("D02", format!("{at} fails when it looks for {host} (SERVFAIL).")),
        3 => ("D01", format!("{at} says that {host} does not exist{}.", agreement(names))),
        5 => (
            "D03",
            format!(
                "{at} refuses to look for {host}: it does not serve that zone, or not for you."
            ),
        ),
        _ => ("D08", format!("{at} does not understand the question for {host}.")),
    }
}

fn silence(at: &str, host: &str, flaw: DnsFlaw) -> (&'static str, String) {
    match flaw {
        DnsFlaw::Silent => ("D04", format!("{at} does not answer, so {host} has no address.")),
        DnsFlaw::Unreachable => {
            ("D04", format!("{at} cannot be reached, so {host} has no address."))
        }
        DnsFlaw::Refused => {
            ("D05", format!("{at} is not there: its port is closed, so {host} has no address."))
        }
        DnsFlaw::Cut => (
            "D07",
            format!(
                "{at} has an answer for {host} that is too long for UDP, and TCP does not get through."
            ),
        ),
        DnsFlaw::Garbage => {
            ("D08", format!("{at} answers something that is no answer of a name server."))
        }
    }
}

fn agreement(names: &Names) -> &'static str {
    let others = names.servers.len() > 1;
    let all = names.servers.iter().all(|server| server.a.as_ref().is_ok_and(|it| it.code == 3));
    if others && all { ", and every other configured one agrees" } else { "" }
}

/// Returns what a server said, in a few words.
fn told(server: &Server) -> String {
    match &server.a {
        Err(DnsFlaw::Silent) => "no answer".to_owned(),
        Err(DnsFlaw::Unreachable) => "unreachable".to_owned(),
        Err(DnsFlaw::Refused) => "connection refused".to_owned(),
        Err(DnsFlaw::Cut) => "a cut answer, and no TCP".to_owned(),
        Err(DnsFlaw::Garbage) => "not a DNS message".to_owned(),
        Ok(answer) => match (answer.code, list(&addresses(server))) {
            (0, found) if !found.is_empty() => found,
            (0, _) => "no address".to_owned(),
            (2, _) => "SERVFAIL".to_owned(),
            (3, _) => "NXDOMAIN".to_owned(),
            (5, _) => "REFUSED".to_owned(),
            (4, _) => "NOTIMP".to_owned(),
            (code, _) => format!("response code {code}"),
        },
    }
}

/// D14: the first server that decides knows no address, another one does.
fn split_names(host: &str, names: &Names, first: usize, other: usize) -> Finding {
    let (Some(first), Some(other)) = (names.servers.get(first), names.servers.get(other)) else {
        return Finding::new(entry("D14"), format!("The name servers disagree about {host}."));
    };
    Finding::new(
        entry("D14"),
        format!(
            "The name server {} says that {host} does not exist, and is asked before {}, which knows it.",
            first.address, other.address
        ),
    )
    .seen(Kind::Dns, Place::Endpoint(first.address.to_string()), told(first), told(other))
    .seen(Kind::Dns, Place::Endpoint(other.address.to_string()), told(other), "")
    .run("cat /etc/resolv.conf; resolvectl status")
    .reproduce(format!(
        "dig @{} {host} A; dig @{} {host} A",
        first.address.ip(),
        other.address.ip()
    ))
}

/// D15: a server has it, and nobody asked: `nsswitch.conf` leaves DNS out, or the C library gave up.
fn passed_over(host: &str, names: &Names, other: usize, case: &Case<'_>) -> Finding {
    let nsswitch = &case.machine.nsswitch;
    let lines = nsswitch.lines.as_deref().unwrap_or_default();
    let line =
        lines.iter().zip(1..).find(|(line, _)| line.raw().trim_start().starts_with("hosts:"));
    let Some(server) = names.servers.get(other) else {
        return Finding::new(entry("D15"), format!("The system finds no address of {host}."));
    };
    let is_left_out = line.is_some_and(|(line, _)| {
        !line.raw().split_ascii_whitespace().any(|word| word == "dns" || word == "resolve")
    });
    let before = names.servers.iter().take(other).find(|server| server.a.is_err());
    let mut finding = match (is_left_out, before) {
        (false, Some(_)) => return silence_or_code(host, names, 0).confidence(Confidence::Likely),
        (true, _) => Finding::new(
            entry("D15"),
            format!(
                "{} knows {host}, but /etc/nsswitch.conf lets no program ask a name server.",
                server.address
            ),
        ),
        (false, None) => Finding::new(
            entry("D15"),
            format!("{} knows {host}, but the system's resolver does not find it.", server.address),
        )
        .confidence(Confidence::Likely),
    };
    if let Some((line, number)) = line {
        let place = Place::File("/etc/nsswitch.conf".into(), Some(number));
        finding = finding.seen(Kind::File, place, line.raw().trim().to_owned(), "hosts: files dns");
    }
    finding
        .seen(Kind::Dns, Place::Endpoint(server.address.to_string()), told(server), "")
        .run("sudo sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf")
        .reproduce(format!("getent hosts {host}; dig @{} {host} A", server.address.ip()))
}

/// Returns whether a host can be one (RFC 1123 §2.1); `_` is taken, as resolvers take it.
fn is_host_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}
