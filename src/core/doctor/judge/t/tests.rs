//! T by legs made by hand.

use std::borrow::Cow;

use crate::core::doctor::{
    finding::{Severity, Tool},
    judge::hand,
    leg::{Also, Leg, Purpose, Why},
    machine::{GitValue, Library, Machine},
    place::Place,
    private::Private,
    probe::{Certificate, CertificateFlaw as Flaw, Http, Tls, TlsFlaw, Trace, Twist},
    route::Trust,
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

/// What is found of git's request to a server of TLS 1.2, where its configuration has this value; `flaw` is how the
/// server ended a handshake with the suites that the value leaves.
fn limited(
    key: &str,
    value: &str,
    library: Option<Library>,
    flaw: Option<TlsFlaw>,
) -> Vec<&'static str> {
    let tls =
        |flaw| Tls { flaw, version: "TLSv1.2".to_owned(), verdict: Some(Ok(())), ..Tls::default() };
    let trace = |flaw| Trace { tls: Some(tls(flaw)), ..Trace::default() };
    let (seen, other, trust) = (trace(None), trace(flaw), Trust::default());
    let url = "https://git.corp.test/x.git/info/refs?service=git-upload-pack";
    let plain = hand::leg(Purpose::Repository, "", url, Http::default());
    let also = Also { why: Why::Twist(Twist::OwnSuites), trust: &trust, seen: &other };
    let leg = Leg { seen: Cow::Borrowed(&seen), also: vec![also], ..plain };
    let setting = GitValue {
        key: key.to_owned(),
        value: Private::new(value),
        place: Place::File("/home/ana/.gitconfig".into(), Some(3)),
        is_local: false,
    };
    let machine = Machine { git_config: vec![setting], git_library: library, ..Machine::default() };
    let found = hand::judged(super::findings, &[leg], &machine);
    assert!(found.iter().all(|finding| finding.cause.contains("/home/ana/.gitconfig:3")));
    found.iter().map(|finding| finding.entry.code).collect()
}

#[test]
fn what_git_is_told_of_tls_must_leave_what_the_server_has() {
    let (list, refused) = ("http.sslcipherlist", Some(TlsFlaw::Alert(40)));
    let openssl = Some(Library::OpenSsl);
    assert_eq!(limited("http.sslversion", "tlsv1.3", None, None), ["T16"]);
    assert_eq!(limited("http.sslversion", "tlsv1.2", None, None), [""; 0]);
    assert_eq!(limited("http.sslversion", "sslv3", openssl, None), ["T16"]);
    assert_eq!(limited("http.sslversion", "sslv3", Some(Library::GnuTls), None), [""; 0]);
    assert_eq!(limited(list, "TLS_AES_128_GCM_SHA256", openssl, None), ["T16"]);
    // Some builds have it.
    assert_eq!(limited(list, "RC4-SHA", openssl, refused.clone()), [""; 0]);
    assert_eq!(limited(list, "AES128-SHA", openssl, refused.clone()), ["T16"]);
    assert_eq!(limited(list, "AES128-SHA", openssl, None), [""; 0]);
    assert_eq!(limited(list, "HIGH", openssl, refused.clone()), [""; 0]);
    assert_eq!(limited(list, "AES128-SHA", Some(Library::GnuTls), refused.clone()), [""; 0]);
    assert_eq!(limited(list, "AES128-SHA", None, refused), [""; 0]);
}
