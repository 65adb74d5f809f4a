//! D by legs made by hand, and such legs for `n`.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use super::{Case, Finding, Server, findings};
use crate::core::{
    doctor::{
        finding::Severity,
        judge::hand::{self, Empty},
        leg::{Leg, Purpose},
        machine::{Machine, Text},
        place::Place,
        private::Private,
        probe::{
            Answer, Certificate, CertificateFlaw, Connect, DnsFlaw, Http, Names, Stage, TcpFlaw,
            Tls, Trace,
        },
        route::Proxy,
    },
    origin::Origin,
};

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A leg of git to `https://git.corp.test/x`, as far as this trace.
pub(in crate::core::doctor::judge) fn leg(seen: Trace, names: Option<&Names>) -> Leg<'_> {
    let plain = hand::leg(Purpose::Repository, "", "https://git.corp.test/x", Http::default());
    Leg { seen: Cow::Owned(seen), names, ..plain }
}

/// Calls a judge.
pub(in crate::core::doctor::judge) fn judged(
    judge: fn(&Leg<'_>, &Case<'_>) -> Vec<Finding>,
    leg: &Leg<'_>,
    machine: &Machine,
) -> Vec<Finding> {
    let answers = BTreeMap::new();
    let legs = std::slice::from_ref(leg);
    let case = Case { machine, wallet: &Empty, answers: &answers, legs };
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
    let nsswitch =
        Text { lines: Some(vec![line("passwd: files"), line("hosts: files")]), ..Text::default() };
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
        assert_eq!(codes(&judged(findings, &one, &Machine::default())), code, "{status} {error}");
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
