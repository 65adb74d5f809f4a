//! Two independent failures at once: one of them is the root, the other is named, too.
//!
//! Independent means that mending one leaves the other. Where both stand on one way, only the first can be
//! seen at all; so the two of a pair stand on different ways, or one of them in a file.

use super::case::{
    Case, PROXY,
    Tool::{Git, Go},
};

/// A failure that can be added to another one: its code, what it is, how it is made.
type Fault = (&'static str, &'static str, fn(Case) -> Case);

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (first, what, target) in TARGETS {
        for (second, also, change) in LOCAL {
            let case = pair(first, second, &format!("{what}; {also}"));
            cases.push(change(target(case)));
        }
    }
    cases.extend(of_here());
    cases.extend(of_hosts());
    cases.extend(super::one_way::cases());
    cases
}

pub(super) fn pair(first: &str, second: &str, about: &str) -> Case {
    let mut case = Case::new(first)
        .about(&format!("and {second}: {about}"))
        .or(&[second])
        .must(&[first, second]);
    case.is_pair = true;
    case
}

/// Failures of the network, by a host.
const TARGETS: &[Fault] = &[
    ("N01", "nobody listens", |case| case.origin("refused.corp.test")),
    ("D01", "no such name", |case| case.origin("nosuch.corp.test")),
    ("T04", "an expired certificate", |case| case.origin("expired.corp.test")),
    ("T07", "another host's certificate", |case| case.origin("wronghost.corp.test")),
    ("H17", "503", |case| case.origin("s503.corp.test")),
    ("M03", "the module proxy forbids", |case| {
        case.goenv("GOPROXY=https://gp403.corp.test").module("example.com/pub@v1.0.0")
    }),
];

/// Hosts by what is wrong with them.
const HOSTS: &[(&str, &str)] = &[
    ("N01", "refused"),
    ("T01", "selfsigned"),
    ("H17", "s503"),
    ("G17", "metanone"),
    ("N03", "adminproh"),
    ("T04", "expired"),
    ("H09", "p511"),
    ("A01", "git"),
    ("D01", "nosuch"),
    ("T07", "wronghost"),
    ("H15", "s500"),
    ("A03", "authall"),
    ("N04", "netunreach"),
    ("T15", "plain443"),
    ("H19", "s403"),
    ("G18", "metadup"),
    ("N05", "accrst"),
    ("T13", "mtls"),
    ("H14", "s429"),
    ("G16", "metaprefix"),
    ("T16", "alert40"),
    ("H04", "trunc"),
    ("A12", "nochal"),
    ("T18", "tlsrst"),
    ("H10", "loop"),
    ("A08", "ontlm"),
    ("T12", "tls10"),
    ("H08", "portal200"),
    ("T02", "inspected"),
    ("H05", "empty"),
];

/// Failures that are seen on this machine, whatever the network does: go or git cannot work with them.
const LOCAL: &[Fault] = &[
    ("E46", "a line of git's file that git cannot read", |case| case.gitconfig("[broken\n")),
    ("L03", "TMPDIR is not there", |case| case.env("TMPDIR", "/nonexistent")),
    ("G12", "git is not on PATH", |case| case.without_path("git")),
    ("E44", "a file of authorities that is not there", |case| {
        case.env("GIT_SSL_CAINFO", "{HOME}/nowhere.pem")
    }),
];

/// Two modules of a go.mod that fail for two reasons.
fn of(first: &str, second: &str, one: &str, other: &str) -> Case {
    pair(first, second, &format!("two modules of go.mod, of {one} and {other}"))
        .here(&format!(
            "module work.test/main\n\ngo 1.21\n\nrequire (\n\t{one}.corp.test/team/lib v1.0.0\n\
             \t{other}.corp.test/team/lib v1.0.0\n)\n"
        ))
        .private()
        // There is no go.sum: `go mod download` makes one, `go build` would not.
        .also(&["M17"])
        .fails(&[Go])
}

/// Other pairs of two modules.
fn of_here() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.push(
        of("A02", "N04", "git", "netunreach")
            .file("~/.netrc", "machine git.corp.test login alice password {WRONG}\n"),
    );
    cases.push(of("P10", "T04", "blocked", "expired").proxy(PROXY));
    // A module of the module proxy, and one of a host.
    for (first, proxy, second, host) in [
        ("M01", "gp404", "N01", "refused"),
        ("M03", "gp403", "T04", "expired"),
        ("S02", "gpsum403", "H15", "s500"),
        ("M09", "gpbadzip", "A03", "authall"),
        ("A14", "gpauth", "D01", "nosuch"),
    ] {
        cases.push(
            of(first, second, proxy, host)
                .goenv(&format!("GOPROXY=https://{proxy}.corp.test"))
                .here(&format!(
                    "module work.test/main\n\ngo 1.21\n\nrequire (\n\texample.com/pub v1.0.0\n\
                 \t{host}.corp.test/team/lib v1.0.0\n)\n"
                )),
        );
    }
    // git's own way and go's own way.
    cases.push(
        pair("P02", "E30", "go's proxy rejects the password, git's is another one and dead")
            .env("HTTPS_PROXY", "http://puser:{WRONG}@proxy.corp.test:3128")
            .gitconfig("[http]\n\tproxy = http://refused.corp.test:1\n")
            .or(&["P27"])
            .origin("pub.corp.test")
            .fails(&[Go, Git]),
    );
    cases
}

/// Two modules of go.mod from hosts that fail for two reasons: each with the one after next.
fn of_hosts() -> Vec<Case> {
    let others = HOSTS.iter().cycle().skip(2);
    HOSTS
        .iter()
        .zip(others)
        .map(|((first, one), (second, other))| of(first, second, one, other))
        .collect()
}
