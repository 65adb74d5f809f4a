//! Whom git really dials, for random variables and configuration: git itself, with a `getaddrinfo` and a `connect` that
//! only write down what they are asked. A process a case: some hundreds in the suite, and as many as `GOCRED_TEST_DIALS` says.

use std::{fmt::Write as _, fs, path::Path};

use gocred::core::{
    doctor::{
        finding::Tool,
        machine::GitValue,
        place::Place,
        private::Private,
        route::{self, Link, Via, address::Address, git_config, git_proxy},
    },
    origin::Origin,
};

use super::grammar;
use crate::support::{home::Home, program, random::Random};

/// Keys that may limit a proxy to a URL.
const KEYS: &[&str] = &[
    "http",
    "http \"https://\"",
    "http \"https://git.corp.test\"",
    "http \"https://*.corp.test/\"",
    "http \"http://git.corp.test/team\"",
    "http \"https://git.corp.test/team\"",
    "http \"https://10.1.2.3\"",
];

#[test]
fn git_dials_whom_is_said() {
    let (Some(git), Some(compiler)) = (program("git", "git"), program("cc", "gcc")) else { return };
    let home = Home::new();
    let (library, log) = (home.path().join("lookup.so"), home.path().join("lookups"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/c/lookup.c");
    let build = home.run(compiler).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    build.output().success();
    let mut random = Random::new();
    let count = dials();
    let (mut straight, mut proxied, mut different) = (0, 0, Vec::new());
    for _ in 0..count {
        let (variables, config) =
            (grammar::variables(&mut random, grammar::OF_CURL), config(&mut random));
        let target = format!("{}/team/lib", grammar::target(&mut random));
        let is_plain = |value: &String| {
            value.is_ascii()
                && !value.contains(['\n', '\0'])
                && !value.contains("%0")
                && !value.contains("%C3")
        };
        if !variables
            .iter()
            .filter_map(|(_, value)| value.as_ref())
            .chain(config.iter().map(|(_, it)| it))
            .all(is_plain)
        {
            continue;
        }
        let (expected, is_straight) = said(&variables, &config, &target);
        let mut file = "[credential]\n\thelper =\n".to_owned();
        for (key, value) in &config {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(file, "[{key}]\n\tproxy = \"{value}\"\n");
        }
        home.write(".gitconfig", file);
        let _ = fs::remove_file(&log);
        let mut run = home.run(&git).args(["ls-remote", target.as_str()]);
        run = run.env("LD_PRELOAD", &library).env("LOOKUPS", &log).env("GIT_ASKPASS", "echo");
        for (name, value) in &variables {
            if let Some(value) = value {
                run = run.env(name, value);
            }
        }
        let output = run.output();
        let lookups = fs::read_to_string(&log).unwrap_or_default();
        let dialled = lookups.lines().next().map(canonical);
        let expected = expected.as_deref().map(canonical);
        if expected != dialled {
            let said = output.err();
            different
                .push(format!("{expected:?} {dialled:?} {target} {variables:?} {config:?} {said}"));
        }
        straight += usize::from(is_straight);
        proxied += usize::from(!is_straight && dialled.is_some());
    }
    println!("{count} cases: {straight} straight, {proxied} through a proxy");
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(straight > 0 && proxied > 0);
}

/// Writes an address in one way.
fn canonical(dialled: &str) -> (String, &str) {
    let (host, port) = dialled.split_once('\u{1f}').unwrap_or((dialled, ""));
    // libcurl knows it without asking.
    let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
    let address = host.parse::<std::net::IpAddr>().map(|address| address.to_string());
    (address.unwrap_or_else(|_| host.to_owned()), port)
}

fn config(random: &mut Random) -> Vec<(&'static str, String)> {
    let count = [0, 0, 0, 1, 1, 2].get(random.below(6)).copied().unwrap_or_default();
    let mut value = |_| {
        let value = match random.below(8) {
            0 => String::new(),
            1..=3 => grammar::proxy(random),
            _ => grammar::usual_proxy(random),
        };
        (random.of(KEYS), value)
    };
    (0..count).map(&mut value).collect()
}

/// Returns what is looked up first, as the library writes it, and whether that is the target itself.
fn said(
    variables: &[(&'static str, Option<String>)],
    config: &[(&'static str, String)],
    target: &str,
) -> (Option<String>, bool) {
    let mut machine = grammar::machine(variables);
    for (key, value) in config {
        let key = key.replacen(" \"", ".", 1).replace('"', "");
        let (value, place) = (Private::new(value.as_str()), Place::Default("git"));
        machine.git_config.push(GitValue {
            key: format!("{key}.proxy"),
            value,
            place,
            is_local: false,
        });
    }
    let (origin, path) = Origin::from_url(target).unwrap();
    let link = Link { origin, path: path.to_owned() };
    let bare = |host: &str| host.trim_matches(['[', ']']).to_owned();
    let route = route::route(Tool::Git, &link, &machine).unwrap();
    match route.via {
        Via::Direct => {
            let default = if link.origin.scheme() == "https" { 443 } else { 80 };
            let host = bare(link.origin.host());
            (Some(format!("{host}\u{1f}{}", link.origin.port().unwrap_or(default))), true)
        }
        Via::Proxy(proxy) => (Some(format!("{}\u{1f}{}", proxy.host, proxy.port)), false),
        Via::Broken { .. } => {
            let value = match &route.via_place {
                Place::Variable(name) => machine.variables.get(name),
                _ => git_config::best(&machine.git_config, ("http", "proxy"), target)
                    .map(|it| &it.value),
            };
            // What nobody means is dialled all the same.
            let address = git_proxy::read(value.unwrap().raw()).ok().flatten();
            let dialled = address.map(|Address { scheme, host, port, .. }| {
                let default = if scheme == "https" { "443" } else { "1080" };
                format!("{host}\u{1f}{}", if port.is_empty() { default } else { &port })
            });
            (dialled, false)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests run where they start")]
fn dials() -> usize {
    std::env::var("GOCRED_TEST_DIALS").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}
