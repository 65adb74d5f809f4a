//! libcurl's way to a proxy, compared with the libcurl that git is linked with. A small C program
//! (`tests/it/c/route.c`) lets it dial into a socket of its own.

use std::{fmt::Write as _, path::Path, time::Duration};

use gocred::core::{
    doctor::{
        finding::Tool,
        place::Place,
        route::{self, Link, Via, address::Address, curl_url},
    },
    origin::Origin,
};
use secrecy::ExposeSecret as _;

use super::grammar;
use crate::support::{
    home::Home,
    program,
    random::{Random, cases},
};

type Case = (Vec<(&'static str, Option<String>)>, String);

/// How many questions one process answers, and how long it may take.
const BATCH: usize = 20_000;
/// See [`BATCH`].
const LIMIT: Duration = Duration::from_secs(600);

#[test]
fn libcurl_takes_the_proxy_that_is_said() {
    let Some(compiler) = program("cc", "gcc libcurl4-gnutls-dev") else { return };
    let home = Home::new();
    let oracle = home.path().join("route");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/c/route.c");
    let build = home.run(compiler).arg("-O1").arg("-o").arg(&oracle).arg(source);
    build.arg("-lcurl-gnutls").output().success();
    let mut random = Random::new();
    let (count, mut errors) = (cases(20_000), 0);
    for from in (0..count).step_by(BATCH) {
        let cases: Vec<Case> = (from..count.min(from + BATCH)).map(|_| case(&mut random)).collect();
        let answers = home.run(&oracle).input(questions(&cases)).limit(LIMIT).output().success();
        assert_eq!(answers.lines().count(), cases.len());
        for ((variables, target), answer) in cases.iter().zip(answers.lines()) {
            let said = said(variables, target);
            let is_same = said.iter().any(|said| said == answer);
            assert!(is_same, "{said:?} {answer:?} {target} {variables:?}");
            errors += usize::from(answer == "error");
        }
    }
    println!("{count} cases, {errors} refused");
    assert!(errors > 0 && errors < count);
}

/// Targets that no proxy of the grammar is named like: whoever is dialled tells the way.
fn case(random: &mut Random) -> Case {
    loop {
        let (variables, target) =
            (grammar::variables(random, grammar::OF_CURL), grammar::target(random));
        let is_plain =
            |(_, value): &(_, Option<String>)| value.as_ref().is_none_or(|value| is_plain(value));
        let is_apart = !["localhost", "LOCALHOST", "127.0.0.1", "[::1]"]
            .iter()
            .any(|host| target.contains(host));
        if is_apart && variables.iter().all(is_plain) {
            return (variables, target);
        }
    }
}

/// Whether IDNA, which nobody here follows, has no say; and whether no line and no string ends.
fn is_plain(value: &str) -> bool {
    value.is_ascii() && !value.contains("%C3") && !value.contains(['\n', '\0'])
}

fn questions(cases: &[Case]) -> String {
    let mut questions = String::new();
    for (variables, target) in cases {
        questions.push_str(target);
        for (_, value) in variables {
            questions.push('\u{1f}');
            match value {
                Some(value) => questions.extend(["+", value]),
                None => questions.push('-'),
            }
        }
        questions.push('\n');
    }
    questions
}

/// Returns what the route says, as the oracle writes it; more than one answer where it cannot tell them apart.
fn said(variables: &[(&'static str, Option<String>)], target: &str) -> Vec<String> {
    let machine = grammar::machine(variables);
    let (origin, path) = Origin::from_url(target).unwrap();
    let link = Link { origin, path: path.to_owned() };
    let route = route::route(Tool::Curl, &link, &machine).unwrap();
    if let (Via::Direct, _) | (_, Place::Default(_)) = (&route.via, &route.via_place) {
        return vec![direct(&link)];
    }
    match curl_url::proxy(grammar::value(&machine, &route.via_place).unwrap()) {
        Err(curl_url::Flaw::Login) => vec![direct(&link)],
        Err(curl_url::Flaw::Socket) => vec!["socket".to_owned()],
        Err(_) => vec!["error".to_owned()],
        Ok(address) => {
            if let Via::Proxy(proxy) = &route.via {
                assert_eq!(proxy.host, address.host);
            }
            through(&address, &link)
        }
    }
}

/// What is said first without a proxy.
fn direct(link: &Link) -> String {
    let (kind, login, port) = match link.origin.scheme() {
        "https" => ("tls", "?", 443),
        _ => ("http", "-", 80),
    };
    let host = bare(link.origin.host());
    let port = link.origin.port().unwrap_or(port);
    format!("{kind}\u{1f}{host}\u{1f}{port}\u{1f}{login}")
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// What is said first to a proxy.
fn through(address: &Address, link: &Link) -> Vec<String> {
    let Address { scheme, host, port, login } = address;
    let default = if scheme == "https" { "443" } else { "1080" };
    let port = if port.is_empty() { default } else { port };
    let hex = |text: &str| {
        text.bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    };
    let (user, password) = match login {
        Some((user, password)) => (user.as_str(), password.expose_secret()),
        None => ("", ""),
    };
    let both = hex(&format!("{user}:{password}"));
    let (kinds, login): (&[&str], _) = match scheme.as_str() {
        "https" => (&["tls"], "?".to_owned()),
        "socks4" | "socks" => (&["socks4"], format!("+{}", hex(user))),
        "socks4a" => (&["socks4a"], format!("+{}", hex(user))),
        // An address is never resolved.
        "socks5h" if bare(link.origin.host()).parse::<std::net::IpAddr>().is_ok() => {
            (&["socks5", "socks5h"], format!("+{both}"))
        }
        "socks5" => (&["socks5"], format!("+{both}")),
        "socks5h" => (&["socks5h"], format!("+{both}")),
        _ if login.is_some() => (&["http"], format!("+{both}")),
        _ => (&["http"], "-".to_owned()),
    };
    kinds.iter().map(|kind| format!("{kind}\u{1f}{host}\u{1f}{port}\u{1f}{login}")).collect()
}
