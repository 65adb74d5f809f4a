//! P: the corporate proxy.

use crate::inject::case::{
    Case, PROXY, PUSER,
    Tool::{Git, Go},
    WRONG, both,
};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [logins(), tunnels(), connections()].concat()
}

/// 407.
fn logins() -> Vec<Case> {
    let mut cases = [
        through("P01", "no login", "proxy.corp.test:3128"),
        with_login("P02", "a wrong password", "proxy.corp.test:3128"),
        through("P03", "NTLM only", "pntlm.corp.test:3128"),
        with_login("P03", "NTLM only, and a login", "pntlm.corp.test:3128"),
        through("P04", "Negotiate only", "pnegotiate.corp.test:3128"),
        through("P05", "Digest only", "pdigest.corp.test:3128"),
        through("P06", "Bearer only", "pbearer.corp.test:3128"),
        through("P07", "no challenge", "pnochal.corp.test:3128"),
        through("P08", "several, none usable", "pmany.corp.test:3128"),
        with_login("P34", "the account is locked", "plocked.corp.test:3128"),
        with_login("P35", "the password has expired", "pexpired.corp.test:3128"),
    ]
    .concat();
    let plain = |about| {
        Case::new("P33")
            .about(about)
            .module("example.com/pub@v1.0.0")
            .goenv("GOPROXY=http://goproxyh.corp.test")
    };
    cases.extend([
        Case::new("P09")
            .about("pinned to a scheme that is not offered")
            .repository("pub.corp.test")
            .proxy(PROXY)
            .gitconfig("[http]\n\tproxyAuthMethod = ntlm")
            .fixed(),
        Case::new("P43")
            .about("a login of the proxy in netrc")
            .repository("pub.corp.test")
            .proxy("http://proxy.corp.test:3128")
            .file("~/.netrc", format!("machine proxy.corp.test login puser password {PUSER}\n"))
            .says(".netrc:1")
            .says("HTTPS_PROXY"),
        Case::new("P01")
            .about("git knows a user of the proxy and no password")
            .origin("pub.corp.test")
            .gitconfig("[http]\n\tproxy = http://puser@proxy.corp.test:3128\n"),
        Case::new("P01")
            .about("git knows a user of a proxy that asks for none")
            .origin("pub.corp.test")
            .gitconfig("[http]\n\tproxy = http://puser@proxyopen.corp.test:3128\n"),
        plain("a plain module proxy, no login").proxy("http://proxy.corp.test:3128"),
        plain("a plain module proxy, a wrong login")
            .proxy(&format!("http://puser:{WRONG}@proxy.corp.test:3128")),
    ]);
    cases
}

/// What else is answered to CONNECT, and what comes through.
fn tunnels() -> Vec<Case> {
    let mut cases = [
        to("P10", "blocked by an ACL", "blocked.corp.test", PROXY),
        through("P10", "403 of a filter", "p403.corp.test:3128"),
        to("P12", "the target refuses", "refused.corp.test", "http://proxyopen.corp.test:3128"),
        through("P13", "502", "p502.corp.test:3128"),
        through("P14", "503 with Retry-After", "p503.corp.test:3128"),
        through("P15", "504", "p504.corp.test:3128"),
        through("P16", "429", "p429.corp.test:3128"),
        hangs("P17", "CONNECT is never answered", "http://pslow.corp.test:3128"),
        hangs("P17", "half an answer to CONNECT", "http://phalf.corp.test:3128"),
        through("P18", "closes", "pclose.corp.test:3128"),
        through("P19", "resets", "preset.corp.test:3128"),
        through("P20", "200 and a page", "phtml.corp.test:3128"),
        through("P21", "an ssh server", "pssh.corp.test:3128"),
        through("P22", "a redirect to a portal", "p302.corp.test:3128"),
        through("P23", "an endless head", "pbig.corp.test:3128"),
        through("P24", "cut in the handshake", "pdlp.corp.test:3128"),
        through("P25", "100 before 200", "p100.corp.test:3128"),
    ]
    .concat();
    cases.push(
        Case::new("P11")
            .about("a port that is not allowed")
            .url("https://pub.corp.test:8443/team/lib.git")
            .proxy(PROXY),
    );
    cases
}

/// The way to the proxy itself.
fn connections() -> Vec<Case> {
    [
        through("P26", "no such name", "nosuchproxy.corp.test:3128"),
        through("P27", "nobody listens", "refused.corp.test:3128"),
        hangs("P28", "SYN is dropped", "http://drop.corp.test:3128"),
        to("P29", "https:// for a plain port", "pub.corp.test", "https://proxyopen.corp.test:3128"),
        through("P30", "http:// for a TLS port", "proxytls.corp.test:3129")
            .into_iter()
            .zip(["$HTTPS_PROXY", "$https_proxy"])
            .map(|(case, name)| case.says("proxytls.corp.test:3129").says(name))
            .collect(),
        to(
            "P31",
            "nobody trusts its certificate",
            "pub.corp.test",
            "https://proxybadtls.corp.test:3129",
        ),
        hangs("P32", "socks5:// for an HTTP proxy", "socks5://proxyopen.corp.test:3128"),
    ]
    .concat()
}

/// Through an `http://` proxy to a host that works.
fn through(code: &str, about: &str, proxy: &str) -> Vec<Case> {
    to(code, about, "pub.corp.test", &format!("http://{proxy}"))
}

/// The same with a login that is wrong.
fn with_login(code: &str, about: &str, host: &str) -> Vec<Case> {
    through(code, about, &format!("puser:{WRONG}@{host}"))
}

fn hangs(code: &str, about: &str, proxy: &str) -> Vec<Case> {
    both(code, about, "pub.corp.test", |case| hanging(case.proxy(proxy)))
}

fn to(code: &str, about: &str, host: &str, proxy: &str) -> Vec<Case> {
    both(code, about, host, |case| case.proxy(proxy))
}

fn hanging(case: Case) -> Case {
    match case.target {
        crate::inject::case::Target::Url(_) => case.hangs(&[Git]),
        _ => case.hangs(&[Go]),
    }
}
