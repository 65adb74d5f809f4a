//! D: names.

use crate::inject::case::{
    Case, Target,
    Tool::{Git, Go},
    both,
};

/// One turn of the C library instead of two, and of a second instead of five: git's own patience is not
/// what is tested.
const SHORT: &str = "options timeout:1 attempts:1\n";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [of_answers(), of_servers(), of_families(), of_files(), of_strangers(), of_proxies()].concat()
}

/// The tool that the target implies hangs.
fn hangs(case: Case) -> Case {
    match case.target {
        Target::Url(_) => case.hangs(&[Git]),
        _ => case.hangs(&[Go]),
    }
}

fn of_answers() -> Vec<Case> {
    let fails = |code, about, host| both(code, about, host, |case| case);
    [
        fails("D01", "no such name", "nosuch.corp.test"),
        fails("D01", "no such name in a foreign zone", "git.nosuch.other.test"),
        fails("D02", "SERVFAIL", "x.sf.test"),
        fails("D03", "REFUSED", "x.rf.test"),
        fails("D07", "a cut answer, and no TCP", "x.tc.test"),
        fails("D08", "NOTIMP", "x.ni.test"),
        fails("D08", "FORMERR", "x.fe.test"),
        both("D08", "no DNS message", "x.gb.test", |case| {
            hangs(case.resolv(&format!("nameserver 127.0.0.95\n{SHORT}")))
        }),
        // A module proxy whose name is wrong.
        vec![
            Case::new("D01")
                .about("the module proxy's name does not exist")
                .goenv("GOPROXY=https://goproxyy.corp.test")
                .module("example.com/pub@v1.0.0"),
            Case::new("D03")
                .about("a public module proxy in a closed network")
                .goenv("GOPROXY=https://goproxy.example.org")
                .module("example.com/pub@v1.0.0")
                .or(&["E06", "E07"]),
        ],
    ]
    .concat()
}

fn of_servers() -> Vec<Case> {
    let with = |code, about, resolv: &'static str| {
        both(code, about, "pub.corp.test", move |case| case.resolv(resolv))
    };
    [
        both("D04", "the name server is silent", "pub.corp.test", |case| {
            hangs(case.resolv("nameserver 127.0.0.77\n"))
        }),
        both("D04", "the name server is silent, with little patience", "pub.corp.test", |case| {
            case.resolv(&format!("nameserver 127.0.0.77\n{SHORT}"))
        }),
        with("D05", "nobody listens at the name server", "nameserver 127.0.0.78\n"),
        with("D06", "an empty resolv.conf", ""),
        with("D06", "no nameserver line", "search corp.test\n# nameserver 127.0.0.53\n"),
        with(
            "D14",
            "the first server does not know the name, the second does",
            "nameserver 127.0.0.54\nnameserver 127.0.0.53\n",
        ),
        both("D14", "the first server leads astray", "split.corp.test", |case| {
            case.resolv("nameserver 127.0.0.54\nnameserver 127.0.0.53\n")
        }),
        vec![
            Case::new("D04")
                .about("the name server is silent, and the module comes from a proxy")
                .resolv(&format!("nameserver 127.0.0.77\n{SHORT}"))
                .module("example.com/pub@v1.0.0"),
            Case::new("D05")
                .about("nobody listens at the name server, and the module comes from a proxy")
                .resolv("nameserver 127.0.0.78\n")
                .module("example.com/pub@v1.0.0"),
        ],
    ]
    .concat()
}

fn of_families() -> Vec<Case> {
    let mut cases =
        both("D09", "only an IPv6 address, and no IPv6", "v6only.corp.test", |case| case);
    cases.push(
        Case::new("D10")
            .about("a broken IPv6 address beside a good IPv4 one")
            .repository("v6bad.corp.test")
            .succeeds(&[Git])
            // With a way into IPv6, its address comes first (RFC 6724); nobody is there.
            .root(|stage| {
                stage.sh(
                    "ip -6 address add 2001:db8::1/128 dev lo; ip -6 route add 100::/64 dev lo",
                );
            }),
    );
    cases
}

fn of_files() -> Vec<Case> {
    [
        both("D11", "a stale line leads to where nobody listens", "stale.corp.test", |case| {
            case.hosts_line("127.0.4.1 stale.corp.test")
        }),
        both("D11", "a stale line leads to where packets are dropped", "stale.corp.test", |case| {
            hangs(case.hosts_line("# old").hosts_line("127.0.4.2 other stale.corp.test"))
        }),
        of_git(),
        both("D13", "two dots", "git..corp.test", |case| case),
        both("D15", "nsswitch.conf leaves DNS out", "pub.corp.test", |case| {
            case.nsswitch("passwd: files\nhosts: files\n")
        }),
    ]
    .concat()
}

/// git has a hosts file of its own.
fn of_git() -> Vec<Case> {
    let pin = |name: &str, address: &str| format!("[http]\n\tcurloptResolve = {name}:{address}\n");
    let (pub_, proxy) = ("pub.corp.test:443", "proxyopen.corp.test:3128");
    let other = crate::inject::farm::address("s404.corp.test").to_string();
    [
        both("D11", "git is sent to where nobody listens", "pub.corp.test", |case| {
            case.gitconfig(&pin(pub_, "127.0.4.1")).fixed()
        }),
        both("D11", "git is sent to a host that knows nothing of it", "pub.corp.test", |case| {
            case.gitconfig(&pin(pub_, &other))
        }),
        both("D11", "git is sent to another proxy", "pub.corp.test", |case| {
            case.proxy("http://proxyopen.corp.test:3128").gitconfig(&pin(proxy, "127.0.4.1"))
        }),
        vec![
            Case::new("D11")
                .about("git is sent to where packets are dropped")
                .repository("pub.corp.test")
                .gitconfig(&pin("*:443", "127.0.4.2"))
                .hangs(&[Git]),
        ],
    ]
    .concat()
}

fn of_strangers() -> Vec<Case> {
    [
        both("D12", "every name is the portal's", "a.hijack.test", |case| case),
        both("D12", "every name is the portal's", "git.dev.hijack.test", |case| case),
    ]
    .concat()
}

fn of_proxies() -> Vec<Case> {
    [
        both("D16", "the proxy does not know the name", "nosuch.corp.test", |case| {
            case.proxy("http://proxyopen.corp.test:3128")
        }),
        both("D16", "the proxy with a login does not know the name", "nosuch.corp.test", |case| {
            case.proxy(crate::inject::case::PROXY)
        }),
    ]
    .concat()
}
