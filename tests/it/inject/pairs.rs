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
    cases
}

fn pair(first: &str, second: &str, about: &str) -> Case {
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

/// Failures that are seen on this machine, whatever the network does: go or git cannot work with them.
const LOCAL: &[Fault] = &[
    ("E46", "a line of git's file that git cannot read", |case| case.gitconfig("[broken\n")),
    ("L03", "TMPDIR is not there", |case| case.env("TMPDIR", "/nonexistent")),
    ("E26", "a flag that go does not know any more", |case| case.goenv("GOFLAGS=-insecure")),
    ("G12", "git is not on PATH", |case| case.without_path("git")),
    ("E44", "a file of authorities that is not there", |case| {
        case.env("GIT_SSL_CAINFO", "{HOME}/nowhere.pem")
    }),
];

/// Two modules of a go.mod that fail for two reasons.
fn of_here() -> Vec<Case> {
    let of = |first: &str, second: &str, hosts: [&str; 2]| {
        let [one, other] = hosts;
        pair(first, second, &format!("two modules of go.mod, of {one} and {other}"))
            .here(&format!(
                "module work.test/main\n\ngo 1.21\n\nrequire (\n\t{one}/team/lib v1.0.0\n\t{other}/team/dep v1.0.0\n)\n"
            ))
            .private()
            .fails(&[Go])
    };
    let mut cases = vec![
        of("N01", "T04", ["refused.corp.test", "expired.corp.test"]),
        of("D01", "H15", ["nosuch.corp.test", "s500.corp.test"]),
        of("T01", "T07", ["selfsigned.corp.test", "wronghost.corp.test"]),
        of("N03", "H17", ["adminproh.corp.test", "s503.corp.test"]),
        of("A01", "T20", ["git.corp.test", "second.corp.test"]),
        of("H08", "N01", ["portal200.corp.test", "refused.corp.test"]),
        of("G17", "T15", ["metanone.corp.test", "plain443.corp.test"]),
        of("D01", "A03", ["nosuch.corp.test", "authall.corp.test"]),
    ];
    cases.push(
        of("A02", "N04", ["git.corp.test", "netunreach.corp.test"])
            .file("~/.netrc", "machine git.corp.test login alice password {WRONG}\n"),
    );
    cases.push(of("P10", "T04", ["blocked.corp.test", "expired.corp.test"]).proxy(PROXY));
    // A module of the module proxy, and one of a host.
    cases.push(
        of("M01", "N01", ["example.com", "refused.corp.test"])
            .goenv("GOPROXY=https://gp404.corp.test"),
    );
    cases.push(
        of("S02", "T04", ["example.com", "expired.corp.test"])
            .goenv("GOPROXY=https://gpsum403.corp.test")
            .here(
                "module work.test/main\n\ngo 1.21\n\nrequire (\n\texample.com/pub v1.0.0\n\
                 \texpired.corp.test/team/lib v1.0.0\n)\n",
            ),
    );
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
