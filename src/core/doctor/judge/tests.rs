//! Proxies, answers, module proxies and the checksum database, judged over what was seen.

use crate::core::{
    challenge,
    doctor::{
        finding::Finding,
        judge::{
            Case, h,
            hand::{answer, codes, leg},
            m, merge, p, s,
        },
        leg::{Leg, Purpose},
        machine::Machine,
        place::Place,
        private::Private,
        probe::{Connect, Http, ReadFlaw, Stage, TcpFlaw, Tls, TlsFlaw, Trace},
        route::{Proxy, Via},
    },
};

const REFS: &str = "https://h.test/m.git/info/refs?service=git-upload-pack";
const INFO: &str = "https://a.test/h.test/m/@v/v1.0.0.info";
const ZIP: &str = "https://a.test/h.test/m/@v/v1.0.0.zip";
const LOOKUP: &str = "https://s.test/lookup/h.test/m@v1.0.0";

fn code(judge: fn(&Leg<'_>, &Case<'_>) -> Vec<Finding>, leg: Leg<'_>) -> String {
    codes(judge, &[leg], &machine()).join(" ")
}

fn machine() -> Machine {
    let mut machine = Machine::default();
    machine.variables.insert("GOSUMDB".to_owned(), Private::new("s.test+0badcafe+AAAA"));
    machine
}

/// A leg through a proxy, with what was seen.
fn through(scheme: &str, trace: Trace) -> Leg<'static> {
    let mut leg = leg(Purpose::Repository, "", REFS, Http::default());
    let proxy =
        Proxy { scheme: scheme.to_owned(), host: "proxy.test".to_owned(), port: 3128, login: None };
    leg.route.via = Via::Proxy(proxy.clone());
    leg.route.via_place = Place::Variable("https_proxy".to_owned());
    leg.asked.proxy = Some(proxy);
    leg.seen = std::borrow::Cow::Owned(trace);
    leg
}

fn connect(status: u16, schemes: &[&str], has_login: bool, body: &str) -> Trace {
    let challenges =
        schemes.iter().flat_map(|scheme| challenge::parse(scheme.as_bytes())).collect();
    let connect = Connect {
        status: Some(status),
        challenges,
        has_login,
        body: body.as_bytes().to_vec(),
        ..Connect::default()
    };
    Trace { connect: Some(connect), ..Trace::default() }
}

#[test]
fn a_proxy_that_wants_a_login_says_which() {
    for (schemes, has_login, body, expected) in [
        (&["Basic realm=\"x\""][..], false, "", "P01"),
        (&["Basic realm=\"x\""], true, "", "P02"),
        (&["Basic realm=\"x\""], true, "Your account is locked out.", "P34"),
        (&["Basic realm=\"x\""], true, "Your password has expired.", "P35"),
        (&["NTLM"], false, "", "P03"),
        (&["NTLM"], true, "", "P03"),
        (&["Negotiate"], false, "", "P04"),
        (&["Digest realm=\"x\", nonce=\"y\""], false, "", "P05"),
        (&["Bearer realm=\"x\""], false, "", "P06"),
        (&[], false, "", "P07"),
        (&["Negotiate", "NTLM"], false, "", "P08"),
    ] {
        assert_eq!(
            code(p::findings, through("http", connect(407, schemes, has_login, body))),
            expected,
            "{schemes:?}"
        );
    }
}

#[test]
fn a_proxy_that_refuses_is_told_by_its_status() {
    for (status, expected) in
        [(302, "P22"), (403, "P10"), (429, "P16"), (502, "P13"), (503, "P12"), (504, "P15")]
    {
        assert_eq!(code(p::findings, through("http", connect(status, &[], false, ""))), expected);
    }
    let mut interim = connect(200, &[], false, "");
    interim.connect.as_mut().unwrap().interim = vec![100];
    assert_eq!(code(p::findings, through("http", interim)), "P25");
    let mut busy = connect(503, &[], false, "");
    busy.connect.as_mut().unwrap().fields = vec![("retry-after".to_owned(), "30".to_owned())];
    assert_eq!(code(p::findings, through("http", busy)), "P14");
}

#[test]
fn a_proxy_that_does_not_answer_is_told_by_how() {
    let broken = |flaw| {
        let connect = Connect { flaw: Some(flaw), ..Connect::default() };
        through("http", Trace { connect: Some(connect), ..Trace::default() })
    };
    for (flaw, expected) in [
        (ReadFlaw::Silent(0), "P17"),
        (ReadFlaw::Silent(19), "P17"),
        (ReadFlaw::Closed(0), "P18"),
        (ReadFlaw::Reset(0), "P19"),
        (ReadFlaw::NotHttp(b"SSH-2.0".to_vec()), "P21"),
        (ReadFlaw::NotHttp(vec![0x15, 3, 3]), "P30"),
        (ReadFlaw::TooLarge, "P23"),
    ] {
        assert_eq!(code(p::findings, broken(flaw.clone())), expected, "{flaw:?}");
    }
    let unconnected = |flaw| {
        let stage = Stage { took: 1, flaw: Some(flaw) };
        through(
            "http",
            Trace { tcp: vec![("127.0.0.1:3128".parse().unwrap(), stage)], ..Trace::default() },
        )
    };
    assert_eq!(code(p::findings, unconnected(TcpFlaw::Refused)), "P27");
    assert_eq!(code(p::findings, unconnected(TcpFlaw::Silent)), "P28");
    let nameless = Trace { names: Some(Err("NXDOMAIN".to_owned())), ..Trace::default() };
    assert_eq!(code(p::findings, through("http", nameless)), "P26");
    let not_tls = Tls { flaw: Some(TlsFlaw::NotTls(b"HTTP/1.1 400".to_vec())), ..Tls::default() };
    assert_eq!(
        code(p::findings, through("https", Trace { proxy_tls: Some(not_tls), ..Trace::default() })),
        "P29"
    );
    assert_eq!(code(p::findings, through("socks5", connect(200, &[], false, ""))), "");
}

#[test]
fn an_answer_is_told_by_its_status() {
    for (status, expected) in [
        (400, "H24"),
        (401, ""),
        (404, "H21"),
        (410, "H22"),
        (429, "H14"),
        (451, "H23"),
        (500, "H15"),
        (502, "H16"),
        (503, "H17"),
        (504, "H18"),
        (511, "H09"),
        (507, "H15"),
        (418, "H24"),
    ] {
        let found = code(h::findings, leg(Purpose::Repository, "", REFS, answer(status, &[], "")));
        assert_eq!(found, expected, "{status}");
    }
    let html = [("content-type", "text/html")];
    assert_eq!(
        code(
            h::findings,
            leg(
                Purpose::Meta,
                "h.test/m",
                "https://h.test/m?go-get=1",
                answer(403, &html, "<html>no")
            )
        ),
        "H19"
    );
    assert_eq!(
        code(
            h::findings,
            leg(
                Purpose::Repository,
                "",
                REFS,
                answer(403, &[("content-type", "text/plain")], "policy 7")
            )
        ),
        "H20"
    );
}

#[test]
fn a_redirect_is_told_by_where_it_leads() {
    for (location, expected) in [
        ("http://portal.test/login", "H06"),
        ("https://portal.test/login", "H07"),
        ("http://h.test/m.git/info/refs?service=git-upload-pack", "H11"),
        (REFS, "H10"),
    ] {
        let http = answer(302, &[("location", location)], "");
        assert_eq!(
            code(h::findings, leg(Purpose::Repository, "", REFS, http)),
            expected,
            "{location}"
        );
    }
}

#[test]
fn a_page_in_place_of_an_answer_is_a_portal() {
    let html = [("content-type", "text/html")];
    let form = "<html><form><input type=\"password\"></form>";
    assert_eq!(
        code(h::findings, leg(Purpose::Repository, "", REFS, answer(200, &html, form))),
        "H08"
    );
    // Without a form it may be anything: `g` speaks.
    assert_eq!(
        code(h::findings, leg(Purpose::Repository, "", REFS, answer(200, &html, "<html>hi"))),
        ""
    );
    let page = format!("<meta name=\"go-import\" content=\"h.test/m git https://h.test/m\">{form}");
    assert_eq!(
        code(
            h::findings,
            leg(Purpose::Meta, "h.test/m", "https://h.test/m?go-get=1", answer(200, &html, page))
        ),
        ""
    );
}

#[test]
fn an_answer_that_is_not_whole_is_told_by_how() {
    for (flaw, status, of_origin, of_modules) in [
        (ReadFlaw::Silent(0), None, "H01", "M13"),
        (ReadFlaw::Silent(90), Some(200), "H02", "M13"),
        (ReadFlaw::Slow(9), Some(200), "H03", "M13"),
        (ReadFlaw::Closed(9), Some(200), "H04", "M12"),
        (ReadFlaw::Closed(0), None, "H05", "H05"),
        (ReadFlaw::TooLarge, None, "H12", "H12"),
    ] {
        let http = Http { status, flaw: Some(flaw.clone()), ..Http::default() };
        assert_eq!(
            code(h::findings, leg(Purpose::Repository, "", REFS, http.clone())),
            of_origin,
            "{flaw:?}"
        );
        assert_eq!(
            code(m::findings, leg(Purpose::Info, "h.test/m@v1.0.0", INFO, http)),
            of_modules,
            "{flaw:?}"
        );
    }
}

#[test]
fn a_module_proxy_is_told_by_what_it_answers() {
    for (url, purpose, status, body, expected) in [
        (INFO, Purpose::Info, 404, "", "M01"),
        (INFO, Purpose::Info, 410, "", "M02"),
        (INFO, Purpose::Info, 403, "excluded", "M03"),
        (INFO, Purpose::Info, 500, "", "M05"),
        (INFO, Purpose::Info, 502, "", "M06"),
        (INFO, Purpose::Info, 302, "", "M08"),
        (INFO, Purpose::Info, 200, "<html>", "M07"),
        (INFO, Purpose::Info, 200, "", "M11"),
        (INFO, Purpose::Info, 200, "{\"Version\":\"v1.0.9\"}", "M10"),
        (INFO, Purpose::Info, 200, "{\"Version\":\"v1.0.0\"}", ""),
        (ZIP, Purpose::Zip, 200, "not a zip", "M09"),
        ("https://a.test/h.test/%21m/@v/v1.0.0.info", Purpose::Info, 404, "", "M15"),
    ] {
        let found =
            code(m::findings, leg(purpose, "h.test/m@v1.0.0", url, answer(status, &[], body)));
        assert_eq!(found, expected, "{url} {status} {body}");
    }
    let known =
        leg(Purpose::Info, "h.test/m@v1.0.0", INFO, answer(200, &[], "{\"Version\":\"v1.0.0\"}"));
    let zip = leg(Purpose::Zip, "h.test/m@v1.0.0", ZIP, answer(404, &[], ""));
    assert_eq!(codes(m::findings, &[known, zip], &machine()), ["M14"]);
}

#[test]
fn a_record_is_checked_against_the_key_and_the_form() {
    let record = "7\nh.test/m v1.0.0 h1:x=\nh.test/m v1.0.0/go.mod h1:y=\n\ngo.sum database tree\n1\nz=\n\n\u{2014} s.test ";
    for (status, body, expected) in [
        (200, format!("{record}C63K/gAA\n"), ""),
        (200, format!("{record}AAAAAAAA\n"), "S05"),
        (200, "<html>sign in".to_owned(), "S09"),
        (429, String::new(), "S11"),
        (404, String::new(), "S04"),
        (503, String::new(), "S01"),
    ] {
        let leg =
            leg(Purpose::SumdbLookup, "h.test/m@v1.0.0", LOOKUP, answer(status, &[], body.clone()));
        assert_eq!(code(s::findings, leg), expected, "{status} {body}");
    }
    let supported = "https://a.test/sumdb/s.test/supported";
    let leg = leg(Purpose::SumdbSupported, "h.test/m@v1.0.0", supported, answer(403, &[], ""));
    assert_eq!(code(s::findings, leg), "S02");
}

#[test]
fn what_fails_for_two_tools_in_the_same_way_is_one_finding() {
    use crate::core::doctor::finding::Tool;
    let http = answer(503, &[], "");
    let git = leg(Purpose::Repository, "", REFS, http.clone());
    let mut go = leg(Purpose::Plain, "", "https://h.test/other", http);
    go.purpose = Purpose::Meta;
    let mut findings = Vec::new();
    for leg in [git, go] {
        for finding in super::hand::judged(h::findings, &[leg], &machine()) {
            merge(&mut findings, finding);
        }
    }
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].affects, [Tool::Go, Tool::Git].into());
}
