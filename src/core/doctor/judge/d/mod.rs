//! Names: a name that has no address, or the wrong one. Of the proxy's own name `p` speaks.

mod unresolved;

use std::{collections::BTreeSet, net::IpAddr};

use self::unresolved::{addresses, unresolved};
use crate::core::doctor::{
    catalogue::entry,
    finding::{Confidence, Finding, Kind, Severity, Tool},
    judge::Case,
    leg::{self, Failed, Leg, Why},
    place::Place,
    probe::{CertificateFlaw, Server, Twist},
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    // Without a file descriptor nothing can be read or asked, and what was seen means nothing.
    if super::n::few_descriptors(case).is_some() {
        return Vec::new();
    }
    if leg.proxy().is_some() {
        return proxy_cannot_resolve(leg).into_iter().collect();
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

/// D09: there are only IPv6 addresses, and IPv6 does not work.
fn only_v6(leg: &Leg<'_>) -> Option<Finding> {
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
    .run(format!("curl -6 -sSv -o /dev/null {}", leg.url()))
    .reproduce(format!("dig {host} A; dig {host} AAAA; ping -6 -c1 {host}"))
    .explains(&["N01", "N02", "N03", "N04"]);
    Some(tried(finding, leg))
}

/// D10: the IPv6 address does not work, and the IPv4 one does.
fn bad_v6(leg: &Leg<'_>) -> Option<Finding> {
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
            .run(format!("curl -6 -sSv -o /dev/null {}", leg.url()))
            .reproduce(format!("curl -6 -sSv -o /dev/null {}", leg.url()));
        return Some(tried(finding, leg));
    }
    let by_four = leg.also(Why::Twist(Twist::V4))?;
    let four_works = leg::failed(by_four.seen, leg.purpose, leg.asked.trust.is_off).is_none();
    (leg.failed().is_some() && works(true) && four_works).then(|| {
        let cause = format!("Who answers at the IPv6 address of {host} is not who answers at its IPv4 address, where it works.");
        let finding = Finding::new(entry("D10"), cause)
            .run(format!("curl -4 -sSv -o /dev/null {}", leg.url()))
            .reproduce(format!("curl -6 -sSv {0}; curl -4 -sSv {0}", leg.url()))
            .severity(Severity::Error)
            .explains(&explained);
        tried(finding, leg)
    })
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

/// D16: the proxy looks for a name that it cannot find.
fn proxy_cannot_resolve(leg: &Leg<'_>) -> Option<Finding> {
    let connect =
        leg.seen.connect.as_ref().filter(|connect| connect.status.is_some_and(|it| it >= 500))?;
    let says = connect
        .fields
        .iter()
        .find(|(name, value)| name == "x-squid-error" && value.contains("DNS_FAIL"));
    let page = String::from_utf8_lossy(&connect.body).to_ascii_lowercase();
    let in_page = [
        "unable to determine ip address",
        "dns_fail",
        "name resolution",
        "host not found",
        "dns lookup failed",
    ]
    .iter()
    .any(|words| page.contains(words));
    let is_unknown = leg.origin_names.is_some_and(|names| names.system.is_err());
    // A 5xx alone may mean anything; that nobody here knows the name either makes it likely.
    let confidence = match (says.is_some() || in_page, is_unknown) {
        (true, _) => Confidence::Certain,
        (false, true) => Confidence::Likely,
        (false, false) => return None,
    };
    let (host, proxy) = (leg.host(), leg.endpoint());
    let status = connect.status.unwrap_or_default();
    let observed = match says {
        Some((_, value)) => format!("{status}, X-Squid-Error: {}", printable(value)),
        None => format!("{status} {}", printable(&connect.reason)),
    };
    let advice =
        if is_unknown { "" } else { " This machine can: an exception (NO_PROXY) may help." };
    let mut finding = Finding::new(
        entry("D16"),
        format!("The proxy {proxy} cannot find an address of {host}.{advice}"),
    )
    .confidence(confidence)
    .seen(Kind::Connect, Place::Endpoint(proxy.clone()), observed, "200")
    .affects(&leg.affects())
    .reproduce(format!("curl -sSv -o /dev/null -x http://{proxy} {}", leg.url()))
    .explains(&["P12", "P13", "P14", "P15", "H15", "H16", "H17", "H18"]);
    timed(&mut finding, connect.took);
    Some(match leg.tool {
        _ if is_unknown => finding.run(format!("getent hosts {host}")),
        Tool::Git => finding.run(format!("git config --global http.https://{host}.proxy ''")),
        _ => finding.run(format!("export NO_PROXY=\"${{NO_PROXY:+$NO_PROXY,}}{host}\" no_proxy=\"${{no_proxy:+$no_proxy,}}{host}\"")),
    })
}

/// Adds each address that was tried.
fn tried(mut finding: Finding, leg: &Leg<'_>) -> Finding {
    for (address, stage) in &leg.seen.tcp {
        let observed = stage
            .flaw
            .map_or_else(|| "connected".to_owned(), |flaw| super::n::words(flaw).to_owned());
        finding =
            finding.seen(Kind::Tcp, Place::Endpoint(address.to_string()), observed, "a connection");
        timed(&mut finding, stage.took);
    }
    finding
}

fn timed(finding: &mut Finding, took: u64) {
    if let Some(evidence) = finding.evidence.last_mut() {
        evidence.took = Some(took);
    }
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn printable(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

    use super::{Case, Finding, Server, Twist, findings};
    use crate::core::{
        doctor::{
            finding::{Severity, Tool},
            leg::{Leg, Purpose},
            machine::{Machine, Text},
            place::Place,
            plan::Wallet,
            private::Private,
            probe::{
                Answer, Certificate, CertificateFlaw, Connect, DnsFlaw, Exchange, Http, Names,
                Stage, TcpFlaw, Tls, Trace,
            },
            route::{Link, Login, Proxy, Route, Trust, Via},
        },
        origin::Origin,
    };

    struct Nothing;

    impl Wallet for Nothing {
        fn login(&self, _: &Link) -> Option<Login> {
            None
        }

        fn proxy_login(&self, _: &str, _: u16) -> Option<Login> {
            None
        }
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A leg of git to `https://git.corp.test/x`, as far as this trace.
    pub(in crate::core::doctor::judge) fn leg(seen: Trace, names: Option<&Names>) -> Leg<'_> {
        let link =
            Link { origin: Origin::new("https", "git.corp.test").unwrap(), path: "/x".to_owned() };
        Leg {
            tool: Tool::Git,
            purpose: Purpose::Repository,
            module: None,
            base: None,
            route: Route {
                tool: Tool::Git,
                link: link.clone(),
                rewritten: None,
                via: Via::Direct,
                via_place: Place::Default("git"),
                passed_over: None,
                login: None,
                trust: Trust::default(),
            },
            asked: Exchange {
                proxy: None,
                link,
                login: None,
                trust: Trust::default(),
                fields: Vec::new(),
                twist: Twist::None,
            },
            seen: Cow::Owned(seen),
            banner: None,
            names,
            origin_names: None,
            also: Vec::new(),
            earlier: Vec::new(),
            decides: true,
        }
    }

    /// Calls a judge.
    pub(in crate::core::doctor::judge) fn judged(
        judge: fn(&Leg<'_>, &Case<'_>) -> Vec<Finding>,
        leg: &Leg<'_>,
        machine: &Machine,
    ) -> Vec<Finding> {
        let answers = BTreeMap::new();
        let legs = std::slice::from_ref(leg);
        let case = Case { machine, wallet: &Nothing, answers: &answers, legs };
        judge(leg, &case)
    }

    /// A connection to an address, or why there is none.
    pub(in crate::core::doctor::judge) fn tcp(all: &[(&str, Option<TcpFlaw>)]) -> Trace {
        let stage = |flaw: Option<TcpFlaw>| Stage { took: 3, flaw };
        let tcp = all.iter().map(|(address, flaw)| ((at(address), 443).into(), stage(*flaw)));
        Trace {
            names: Some(Ok(all.iter().map(|(address, _)| at(address)).collect())),
            tcp: tcp.collect(),
            ..Trace::default()
        }
    }

    type Told = Result<(u8, &'static [&'static str]), DnsFlaw>;

    fn names(servers: &[Told]) -> Names {
        let answer = |told: &Told, v6: bool| {
            told.map(|(code, all)| Answer {
                code,
                addresses: all.iter().map(|it| at(it)).filter(|it| it.is_ipv6() == v6).collect(),
                was_cut: false,
            })
        };
        let servers = servers.iter().zip(1..).map(|(told, number)| Server {
            address: ([127, 0, 0, number], 53).into(),
            a: answer(told, false),
            aaaa: answer(told, true),
            took: 2,
        });
        Names {
            system: Err("no such host".to_owned()),
            took: 1,
            file: Vec::new(),
            servers: servers.collect(),
            wildcard: Vec::new(),
        }
    }

    fn unresolved() -> Trace {
        Trace { names: Some(Err("no such host".to_owned())), ..Trace::default() }
    }

    fn codes(found: &[Finding]) -> Vec<&'static str> {
        found.iter().map(|finding| finding.entry.code).collect()
    }

    #[test]
    fn what_the_deciding_server_says_names_the_code() {
        const HAS: Told = Ok((0, &["127.0.0.10"]));
        const NX: Told = Ok((3, &[]));
        for (servers, code) in [
            (&[NX][..], "D01"),
            (&[NX, NX], "D01"),
            (&[Ok((0, &[]))], "D01"),
            (&[Ok((2, &[]))], "D02"),
            (&[Ok((5, &[]))], "D03"),
            (&[Ok((4, &[]))], "D08"),
            (&[Err(DnsFlaw::Silent)], "D04"),
            (&[Err(DnsFlaw::Unreachable)], "D04"),
            (&[Err(DnsFlaw::Refused)], "D05"),
            (&[Err(DnsFlaw::Cut)], "D07"),
            (&[Err(DnsFlaw::Garbage)], "D08"),
            (&[], "D06"),
            // A server that is silent is passed over; the next one decides.
            (&[Err(DnsFlaw::Silent), NX], "D01"),
            (&[NX, HAS], "D14"),
            (&[Err(DnsFlaw::Silent), HAS], "D04"),
            (&[HAS], "D15"),
        ] {
            let names = names(servers);
            let found = judged(findings, &leg(unresolved(), Some(&names)), &Machine::default());
            assert_eq!(codes(&found), [code], "{servers:?}");
            assert!(!found[0].evidence.is_empty() && !found[0].reproduce.is_empty());
        }
    }

    #[test]
    fn a_host_that_can_be_none_is_told_without_a_server() {
        let mut one = leg(unresolved(), None);
        one.asked.link.origin = Origin::new("https", "git..corp.test").unwrap();
        assert_eq!(codes(&judged(findings, &one, &Machine::default())), ["D13"]);
    }

    #[test]
    fn nsswitch_without_dns_is_told_with_its_line() {
        let names = names(&[Ok((0, &["127.0.0.10"]))]);
        let line = |text: &str| Private::new(text);
        let nsswitch = Text {
            lines: Some(vec![line("passwd: files"), line("hosts: files")]),
            ..Text::default()
        };
        let machine = Machine { nsswitch, ..Machine::default() };
        let found = judged(findings, &leg(unresolved(), Some(&names)), &machine);
        assert_eq!(codes(&found), ["D15"]);
        let place = Place::File("/etc/nsswitch.conf".into(), Some(2));
        assert_eq!(found[0].evidence[0].place, place);
    }

    #[test]
    fn a_stale_line_of_the_hosts_file_is_told_where_it_leads_nowhere() {
        let mut names = names(&[Ok((0, &["127.0.0.10"]))]);
        names.file = vec![(at("127.0.4.1"), 7)];
        let refused = tcp(&[("127.0.4.1", Some(TcpFlaw::Refused))]);
        let found = judged(findings, &leg(refused, Some(&names)), &Machine::default());
        assert_eq!(codes(&found), ["D11"]);
        assert_eq!(found[0].fix.command, "sudo sed -i '7d' /etc/hosts");
        assert!(found[0].suppresses.contains("N01"));
        // Where it works, it is somebody's intention.
        let works = tcp(&[("127.0.4.1", None)]);
        assert!(judged(findings, &leg(works, Some(&names)), &Machine::default()).is_empty());
    }

    #[test]
    fn ipv6_that_does_not_work_is_an_error_where_there_is_nothing_else() {
        let only = tcp(&[("100::1", Some(TcpFlaw::NetUnreachable))]);
        let found = judged(findings, &leg(only, None), &Machine::default());
        assert_eq!(codes(&found), ["D09"]);
        let both = tcp(&[("100::1", Some(TcpFlaw::NetUnreachable)), ("127.0.0.10", None)]);
        let found = judged(findings, &leg(both, None), &Machine::default());
        assert_eq!((codes(&found), found[0].severity), (vec!["D10"], Severity::Warning));
    }

    #[test]
    fn a_name_that_everybody_has_is_the_portals() {
        let mut names = names(&[Ok((0, &["127.0.0.10"]))]);
        names.system = Ok(vec![at("127.0.0.10")]);
        let stranger = |verdict| Trace {
            tls: Some(Tls {
                verdict: Some(Err(verdict)),
                chain: vec![Certificate {
                    names: vec!["portal.other.test".to_owned()],
                    ..Certificate::default()
                }],
                ..Tls::default()
            }),
            ..tcp(&[("127.0.0.10", None)])
        };
        let machine = Machine::default();
        let wrong = stranger(CertificateFlaw::WrongName);
        assert!(judged(findings, &leg(wrong.clone(), Some(&names)), &machine).is_empty());
        names.wildcard = vec![at("127.0.0.10")];
        let found = judged(findings, &leg(wrong, Some(&names)), &machine);
        assert_eq!(codes(&found), ["D12"]);
        assert!(found[0].cause.contains("portal.other.test"), "{}", found[0].cause);
        let expired = stranger(CertificateFlaw::Expired);
        assert!(judged(findings, &leg(expired, Some(&names)), &machine).is_empty());
    }

    #[test]
    fn a_proxy_that_finds_no_name_says_so_or_nobody_here_does_either() {
        let refusal = |status, error: &str| Trace {
            connect: Some(Connect {
                status: Some(status),
                fields: vec![("x-squid-error".to_owned(), error.to_owned())],
                ..Connect::default()
            }),
            ..tcp(&[("127.0.0.14", None)])
        };
        let unknown = names(&[Ok((3, &[]))]);
        for (status, error, origin, code) in [
            (503, "ERR_DNS_FAIL 0", None, &["D16"][..]),
            (503, "ERR_CONNECT_FAIL 111", None, &[]),
            (502, "", Some(&unknown), &["D16"]),
            (403, "ERR_ACCESS_DENIED 0", Some(&unknown), &[]),
        ] {
            let mut one = leg(refusal(status, error), None);
            one.asked.proxy = Some(Proxy {
                scheme: "http".to_owned(),
                host: "proxy.corp.test".to_owned(),
                port: 3128,
                login: None,
            });
            one.origin_names = origin;
            assert_eq!(
                codes(&judged(findings, &one, &Machine::default())),
                code,
                "{status} {error}"
            );
        }
    }

    #[test]
    fn what_works_is_no_finding() {
        let good = Trace {
            tls: Some(Tls { verdict: Some(Ok(())), ..Tls::default() }),
            http: Some(Http { status: Some(200), ..Http::default() }),
            ..tcp(&[("127.0.0.10", None)])
        };
        let names = names(&[Ok((0, &["127.0.0.10"]))]);
        assert!(judged(findings, &leg(good, Some(&names)), &Machine::default()).is_empty());
    }
}
