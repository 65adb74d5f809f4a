//! T by legs made by hand.

use std::borrow::Cow;

use crate::core::doctor::{
    finding::{Severity, Tool},
    judge::hand,
    leg::{Leg, Purpose},
    machine::Machine,
    probe::{Certificate, CertificateFlaw as Flaw, Http, Tls, TlsFlaw, Trace},
};

/// What is found of a tool's request to git.corp.test.
fn found(tool: Tool, trace: &Trace) -> Vec<(&'static str, Severity)> {
    let url = "https://git.corp.test/team/lib?go-get=1";
    let plain = hand::leg(Purpose::Meta, "", url, Http::default());
    let leg = Leg { tool, seen: Cow::Borrowed(trace), ..plain };
    let machine = Machine { now: 1_795_000_000, ..Machine::default() };
    hand::judged(super::findings, &[leg], &machine)
        .into_iter()
        .map(|finding| (finding.entry.code, finding.severity))
        .collect()
}

fn certificate(flaw: Flaw, issuer: &str) -> Tls {
    let leaf = Certificate { issuer: issuer.to_owned(), ..Certificate::default() };
    Tls { chain: vec![leaf], verdict: Some(Err(flaw)), ..Tls::default() }
}

fn code(tls: Tls) -> &'static str {
    found(Tool::Go, &Trace { tls: Some(tls), ..Trace::default() })[0].0
}

#[test]
fn each_flaw_of_a_certificate_has_its_code() {
    for (flaw, expected) in [
        (Flaw::SelfSigned, "T01"),
        (Flaw::Expired, "T04"),
        (Flaw::NotYetValid, "T05"),
        (Flaw::WrongName, "T07"),
        (Flaw::NoNames, "T08"),
        (Flaw::NameConstraint, "T09"),
        (Flaw::WrongPurpose, "T10"),
        (Flaw::NoRoots, "T21"),
    ] {
        assert_eq!(code(certificate(flaw, "O=Corp, CN=Corp Root")), expected);
    }
}

#[test]
fn an_authority_that_is_not_trusted_inspects_is_missing_or_was_not_installed() {
    let unknown = |issuer: &str| certificate(Flaw::UnknownIssuer(issuer.to_owned()), issuer);
    assert_eq!(code(unknown("O=Zscaler Inc., CN=Zscaler Root CA")), "T02");
    assert_eq!(code(unknown("O=Corp, CN=Corp Root")), "T20");
    assert_eq!(code(unknown("O=Corp, CN=Corp Issuing 1")), "T20");
    let relative = Tls { has_relative: true, ..unknown("O=Corp, CN=Corp Issuing 1") };
    assert_eq!(code(relative), "T03");
}

#[test]
fn what_the_tool_itself_takes_is_a_warning() {
    let trace = Trace { tls: Some(certificate(Flaw::NoNames, "CN=x")), ..Trace::default() };
    assert_eq!(found(Tool::Git, &trace), [("T08", Severity::Warning)]);
    assert_eq!(found(Tool::Go, &trace), [("T08", Severity::Error)]);
}

#[test]
fn each_way_to_break_a_handshake_off_has_its_code() {
    for (flaw, expected) in [
        (TlsFlaw::Old, "T12"),
        (TlsFlaw::Alert(70), "T12"),
        (TlsFlaw::Alert(116), "T13"),
        (TlsFlaw::Alert(112), "T14"),
        (TlsFlaw::NotTls(b"HTTP/1.1 400".to_vec()), "T15"),
        (TlsFlaw::Alert(40), "T16"),
        (TlsFlaw::Closed, "T17"),
        (TlsFlaw::Reset, "T18"),
        (TlsFlaw::Silent, "T19"),
    ] {
        assert_eq!(code(Tls { flaw: Some(flaw), ..Tls::default() }), expected);
    }
}

#[test]
fn a_server_that_asked_for_a_certificate_may_say_so_late() {
    let tls = Tls { asks_for_certificate: true, verdict: Some(Ok(())), ..Tls::default() };
    let http = Http { status: Some(400), ..Http::default() };
    let trace = Trace { tls: Some(tls), http: Some(http), ..Trace::default() };
    assert_eq!(found(Tool::Git, &trace), [("T13", Severity::Error)]);
}
