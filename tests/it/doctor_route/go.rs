//! Go's way to a proxy, compared with x/net's own code.

use std::fmt::Write as _;

use gocred::core::{
    doctor::{
        finding::Tool,
        route::{self, Link, Via, address::Address, go_url},
    },
    origin::Origin,
};
use secrecy::ExposeSecret as _;

use super::grammar;
use crate::support::{
    home::Home,
    oracle::Oracle,
    random::{Random, cases},
};

const VARIABLES: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUEST_METHOD",
];

/// How many questions one process answers.
const BATCH: usize = 50_000;

#[test]
fn go_takes_the_proxy_that_is_said() {
    let Some(go) = Oracle::new("rules") else { return };
    let mut random = Random::new();
    let mut case = |_| (grammar::variables(&mut random, VARIABLES), grammar::target(&mut random));
    let (home, count) = (Home::new(), cases(20_000));
    let mut seen = [0_usize; 3];
    for from in (0..count).step_by(BATCH) {
        let cases: Vec<_> = (from..count.min(from + BATCH)).map(&mut case).collect();
        let mut questions = String::new();
        for (variables, target) in &cases {
            let values = variables.iter().map(|(_, value)| value.clone().unwrap_or_default());
            let values: Vec<_> = values.collect();
            writeln!(questions, "proxy\u{1f}{target}\u{1f}{}", values.join("\u{1f}")).unwrap();
        }
        // go itself is of a version for which colons are strict; our program's go.mod is not.
        let strict = ("GODEBUG", "urlstrictcolons=1");
        let answers = home.run(go.program()).env(strict.0, strict.1).input(questions).output();
        let answers = answers.success();
        assert_eq!(answers.lines().count(), cases.len());
        for ((variables, target), answer) in cases.iter().zip(answers.lines()) {
            let said = said(variables, target);
            assert_eq!(said, answer, "{target} {variables:?}");
            seen[match answer {
                "direct" => 0,
                "error" => 1,
                _ => 2,
            }] += 1;
        }
    }
    println!("{count} cases; direct, refused, through a proxy: {seen:?}");
    assert!(seen.iter().all(|seen| *seen > 0));
}

/// Returns what the route says, as the oracle writes it.
fn said(variables: &[(&'static str, Option<String>)], target: &str) -> String {
    let machine = grammar::machine(variables);
    let (origin, path) = Origin::from_url(target).unwrap();
    let link = Link { origin, path: path.to_owned() };
    let route = route::route(Tool::Go, &link, &machine).unwrap();
    match &route.via {
        Via::Direct => return "direct".to_owned(),
        Via::Broken { code: "E42", .. } => return "error".to_owned(),
        Via::Broken { .. } | Via::Proxy(_) => {}
    }
    let address = go_url::proxy(grammar::value(&machine, &route.via_place).unwrap());
    if let (Via::Proxy(proxy), Some(address)) = (&route.via, &address) {
        // net/http speaks HTTP to a proxy of a scheme that it does not know (transport.go, `dialConn`).
        let is_known = ["http", "https", "socks5", "socks5h"].contains(&address.scheme.as_str());
        let scheme = if is_known { &address.scheme } else { "http" };
        assert_eq!((proxy.scheme.as_str(), &proxy.host), (scheme, &address.host));
        assert!(address.port.is_empty() || address.port.parse() == Ok(proxy.port));
    }
    let Some(Address { scheme, host, port, login }) = address else { return "direct".to_owned() };
    let login = match login {
        Some((user, password)) => format!("+{user}\u{1f}{}", password.expose_secret()),
        None => "-".to_owned(),
    };
    [scheme, host, port, login].join("\u{1f}").replace('\n', "\\n").replace('\r', "\\r")
}
