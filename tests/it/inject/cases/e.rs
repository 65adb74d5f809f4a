//! E: configuration and environment.

use crate::inject::case::{
    Case, PROXY, PUSER,
    Tool::{Curl, Git, Go},
};

/// A module of the open host, through GOPROXY.
const LIB: &str = "pub.corp.test/team/lib@v1.0.0";
/// A module of nobody's host, through GOPROXY.
const PUBLIC: &str = "example.com/pub@v1.0.0";
/// A proxy on which nobody listens.
const REFUSED: &str = "http://refused.corp.test:1";
/// A proxy that asks for no login.
const OPEN: &str = "http://proxyopen.corp.test:3128";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [goproxy(), private(), settings(), folder(), proxies(), no_proxy(), files(), startup()].concat()
}

fn goproxy() -> Vec<Case> {
    let list = |code: &str, value: &str| {
        Case::new(code)
            .about(&format!("GOPROXY={value} in go's file"))
            .goenv(&format!("GOPROXY={value}"))
            .module(PUBLIC)
    };
    vec![
        Case::new("E01").about("GOPROXY=off").env("GOPROXY", "off").module(LIB),
        list("E01", "off").fixed(),
        list("E02", ",").fixed(),
        Case::new("E02").about("GOPROXY=' '").env("GOPROXY", " ").module(PUBLIC),
        list("E03", "ftp://goproxy.corp.test").fixed(),
        list("E04", "dirct").fixed(),
        list("E04", "noproxy,https://goproxy.corp.test").fixed(),
        list("E05", "\"https://goproxy.corp.test\"").fixed(),
        list("E55", "https://gocenter.io").fixed(),
        list("E61", "https://goproxy.corp.test:x").fixed(),
        Case::new("E06").about("no GOPROXY anywhere").goenv("GOPROXY").module(PUBLIC),
        Case::new("E06")
            .about("GOENV=off")
            .env("GOENV", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOSUMDB", "off")
            .module(PUBLIC),
        list("E07", "direct"),
        list("E08", "https://gp403.corp.test,https://goproxy.corp.test").fixed(),
        list("E08", "https://gp500.corp.test,https://goproxy.corp.test"),
    ]
}

fn private() -> Vec<Case> {
    let pattern = |code: &str, value: &str| {
        Case::new(code)
            .about(&format!("GOPRIVATE={value}"))
            .goenv("GOPROXY=https://gp403.corp.test")
            .goenv(&format!("GOPRIVATE={value}"))
            .module(LIB)
    };
    vec![
        Case::new("E09")
            .about("GOPRIVATE is not set, the proxy says 410")
            .goenv("GOPROXY=https://gp410.corp.test")
            .module("git.corp.test/team/lib@v1.0.0")
            .fixed(),
        pattern("E05", "\"*.corp.test\"").fixed(),
        pattern("E10", "corp.test").fixed(),
        pattern("E10", "test").fixed(),
        pattern("E10", ".corp.test"),
        pattern("E11", "https://pub.corp.test").fixed(),
        pattern("E11", "pub.corp.test:443"),
        pattern("E12", "other.test, pub.corp.test").fixed(),
        pattern("E13", "127.0.0.0/8").fixed(),
        pattern("E14", "pub.corp.test/...").fixed(),
        pattern("E14", "pub.corp.test/team/lib/cmd"),
        pattern("E15", "Pub.corp.test").fixed(),
        pattern("E16", "other.test;pub.corp.test").fixed(),
        pattern("E17", "pub.corp.test/[team").fixed(),
        pattern("E58", "pub.corp.test/te").says("/go/env:5").fixed(),
        pattern("E58", "pub.corp.test/team/li").says("/go/env:5").fixed(),
        Case::new("E54")
            .about("GOPRIVATE=*")
            .goenv("GOPRIVATE=*")
            .module(PUBLIC)
            .says("/go/env:5")
            .fixed(),
        pattern("E18", "*.corp.test").goenv("GONOPROXY=other.test").fixed(),
    ]
}

fn settings() -> Vec<Case> {
    let needs = "module work.test/main\n\ngo 1.21\n\nrequire example.com/pub v1.0.0\n";
    let main = "package main\n\nimport _ \"example.com/pub\"\n\nfunc main() {}\n";
    vec![
        Case::new("E19")
            .about("GOPROXY is set as a variable and in go's file")
            .env("GOPROXY", "https://gp403.corp.test")
            .module(PUBLIC),
        Case::new("E20").about("GO111MODULE=off").goenv("GO111MODULE=off").module(PUBLIC).fixed(),
        Case::new("E21")
            .about("-mod=vendor without vendor")
            .goenv("GOFLAGS=-mod=vendor")
            .here(needs)
            .file("{WORK}/main.go", main)
            .go(&["build", "./..."])
            .fixed(),
        Case::new("E22").about("no HOME").unset("HOME").module(PUBLIC),
        Case::new("E22")
            .about("GOMODCACHE is relative")
            .goenv("GOMODCACHE=mod")
            .module(PUBLIC)
            .fixed(),
        Case::new("E50")
            .about("go.mod wants Go 1.99, GOTOOLCHAIN=local")
            .here("module work.test/main\n\ngo 1.99\n")
            .go(&["list", "-m"])
            .fixed(),
        Case::new("E23")
            .about("go.mod wants Go 1.99, which the proxy does not have")
            .goenv("GOTOOLCHAIN=auto")
            .here("module work.test/main\n\ngo 1.99\n")
            .go(&["list", "-m"]),
        Case::new("E23")
            .about("go.work wants Go 1.99.1")
            .goenv("GOTOOLCHAIN=auto")
            .here("module work.test/main\n\ngo 1.21\n")
            .file("{WORK}/go.work", "go 1.99.1\n\nuse .\n")
            .go(&["list", "-m"]),
        Case::new("E24")
            .about("GOVCS forbids git")
            .origin("pub.corp.test")
            .goenv("GOVCS=*:off")
            .fixed(),
        Case::new("E25")
            .about("GOINSECURE, and git checks all the same")
            .origin("selfsigned.corp.test")
            .goenv("GOINSECURE=*.corp.test"),
        Case::new("E26")
            .about("GOFLAGS=-insecure")
            .goenv("GOFLAGS=-insecure")
            .module(PUBLIC)
            .go(&["get", PUBLIC])
            .fixed(),
        Case::new("E27")
            .about("GONOSUMCHECK, and a database that is not there")
            .goenv("GOSUMDB={SUMDB} https://refused.corp.test")
            .goenv("GONOSUMCHECK=1")
            .module(PUBLIC)
            .fixed(),
    ]
}

/// What stands in go.mod and go.work.
fn folder() -> Vec<Case> {
    let needs = "module work.test/main\n\ngo 1.21\n\nrequire example.com/pub v1.0.0\n";
    vec![
        Case::new("E49")
            .about("-mod=mod in a workspace")
            .goenv("GOFLAGS=-mod=mod")
            .here("module work.test/main\n\ngo 1.21\n")
            .file("{WORK}/go.work", "go 1.21\n\nuse .\n")
            .go(&["list", "-m", "all"])
            .fixed(),
        Case::new("E51")
            .about("a replace line whose folder is not there")
            .here(&format!("{needs}\nreplace example.com/pub => ../gone\n")),
        Case::new("E22")
            .about("no build cache")
            .env("GOCACHE", "off")
            .here("module work.test/main\n\ngo 1.21\n")
            .file("{WORK}/main.go", "package main\n\nfunc main() {}\n")
            .go(&["build", "./..."]),
        Case::new("E26")
            .about("a slip in GOFLAGS")
            .goenv("GOFLAGS=-trimpth")
            .here("module work.test/main\n\ngo 1.21\n")
            .go(&["list", "-m"])
            .fixed(),
        Case::new("E26")
            .about("a slip and a value without = in GOFLAGS")
            .goenv("GOFLAGS=-tags integration '-ldflagss=-s -w'")
            .here("module work.test/main\n\ngo 1.21\n")
            .go(&["list", "-m"])
            .fixed(),
        Case::new("E52")
            .about("GOWORK names nothing")
            .env("GOWORK", "{WORK}/gone.work")
            .here("module work.test/main\n\ngo 1.21\n")
            .go(&["list", "-m"]),
        Case::new("E63")
            .about("GOTOOLCHAIN=latest")
            .goenv("GOTOOLCHAIN=latest")
            .module(PUBLIC)
            .fixed(),
        Case::new("E63").about("GO111MODULE=true").env("GO111MODULE", "true").module(PUBLIC),
        Case::new("E52")
            .about("a workspace with a folder that is not there")
            .here("module work.test/main\n\ngo 1.21\n")
            .file("{WORK}/go.work", "go 1.21\n\nuse (\n\t.\n\t./gone\n)\n")
            .go(&["list", "-m"]),
        Case::new("E52")
            .about("a workspace without this module")
            .here("module work.test/main\n\ngo 1.21\n")
            .file("{WORK}/main.go", "package main\n\nfunc main() {}\n")
            .file("{WORK}/other/go.mod", "module work.test/other\n\ngo 1.21\n")
            .file("{WORK}/go.work", "go 1.21\n\nuse ./other\n")
            .go(&["build", "./..."]),
    ]
}

fn proxies() -> Vec<Case> {
    let both = |code: &str, about: &str| Case::new(code).about(about).repository("pub.corp.test");
    let bad = |code: &str, about: &str, url: &str| both(code, about).proxy(url).fails(&[Git]);
    vec![
        Case::new("E28")
            .about("only HTTP_PROXY, https is dropped")
            .env("HTTP_PROXY", OPEN)
            .env("http_proxy", OPEN)
            .origin("drop.corp.test")
            .hangs(&[Go]),
        both("E29", "HTTPS_PROXY works, https_proxy does not")
            .env("HTTPS_PROXY", OPEN)
            .env("https_proxy", REFUSED)
            .fails(&[Git, Curl]),
        Case::new("E29")
            .about("https_proxy is empty, and the direct way is shut")
            .repository("drop.corp.test")
            .env("HTTPS_PROXY", OPEN)
            .env("https_proxy", "")
            .also(&["P12"])
            .hangs(&[Git]),
        both("E30", "http.proxy of git").gitconfig(&format!("[http]\n\tproxy = {REFUSED}")).fixed(),
        both("E36", "ALL_PROXY").env("ALL_PROXY", REFUSED).fails(&[Git, Curl]),
        bad("E37", "# in the password", &format!("http://puser:{PUSER}#x@proxy.corp.test:3128")),
        bad("E37", "/ in the password", &format!("http://puser:{PUSER}/x@proxy.corp.test:3128")),
        bad("E38", "% in the password", &format!("http://puser:{PUSER}%zz@proxy.corp.test:3128")),
        bad("E39", "@ in the password", &format!("http://puser:{PUSER}@x@proxy.corp.test:3128")),
        bad("E40", "port 99999", "http://proxyopen.corp.test:99999"),
        bad("E41", "a PAC file", "pac+http://proxyopen.corp.test/proxy.pac"),
        Case::new("E42")
            .about("REQUEST_METHOD is set")
            .goenv("GOPROXY=http://goproxyh.corp.test")
            .env("REQUEST_METHOD", "GET")
            .env("HTTP_PROXY", OPEN)
            .module(PUBLIC),
        Case::new("E43")
            .about("a password in HTTPS_PROXY")
            .proxy(PROXY)
            .repository("pub.corp.test")
            .succeeds(&[Git]),
        Case::new("E47")
            .about("only .bashrc sets HTTPS_PROXY")
            .file("~/.bashrc", format!("export HTTPS_PROXY={OPEN}\n"))
            .repository("drop.corp.test")
            .hangs(&[Git]),
        Case::new("E60")
            .about("only npm knows the proxy")
            .file("~/.npmrc", format!("https-proxy={OPEN}\n"))
            .repository("drop.corp.test")
            .hangs(&[Git]),
        Case::new("E59")
            .about("http.sslVerify=false")
            .gitconfig("[http]\n\tsslVerify = false")
            .repository("pub.corp.test")
            .succeeds(&[Git])
            .fixed(),
        both("E48", "loopback in WSL")
            .proxy("http://127.0.0.1:3999")
            .env("WSL_DISTRO_NAME", "Ubuntu")
            .fails(&[Git]),
    ]
}

fn no_proxy() -> Vec<Case> {
    let git = |code: &str, list: &str| {
        Case::new(code)
            .about(&format!("NO_PROXY={list}"))
            .proxy(REFUSED)
            .env("NO_PROXY", list)
            .env("no_proxy", list)
            .repository("pub.corp.test")
    };
    let blanks = git("E33", "other.test pub.corp.test").origin("pub.corp.test").fails(&[Go]);
    vec![
        git("E31", "*.corp.test"),
        git("E32", "pub.corp.test:443"),
        blanks,
        git("E34", "127.0.0.0/8"),
        git("E35", "https://pub.corp.test"),
        git("E35", "pub..corp.test"),
        git("E35", "127.0..0.1,https://pub.corp.test"),
    ]
}

fn files() -> Vec<Case> {
    let repository =
        |code: &str, about: &str| Case::new(code).about(about).repository("pub.corp.test");
    vec![
        repository("E44", "GIT_SSL_CAINFO names nothing").env("GIT_SSL_CAINFO", "/nonexistent.pem"),
        repository("E44", "GIT_SSL_CAPATH names nothing")
            .unset("GIT_SSL_CAINFO")
            .env("GIT_SSL_CAPATH", "/nonexistent"),
        repository("E44", "GIT_SSL_CAINFO names nothing below this folder")
            .env("GIT_SSL_CAINFO", "certs/corp.pem"),
        Case::new("E44")
            .about("SSL_CERT_FILE names nothing")
            .env("SSL_CERT_FILE", "/nonexistent.pem")
            .origin("pub.corp.test"),
        repository("E44", "http.sslCAInfo names nothing")
            .unset("GIT_SSL_CAINFO")
            .gitconfig("[http]\n\tsslCAInfo = /nonexistent.pem")
            .fixed(),
        repository("E44", "http.proxySSLCAInfo names nothing")
            .proxy("https://proxytls.corp.test:3129")
            .gitconfig("[http]\n\tproxySSLCAInfo = /nonexistent.pem"),
        repository("E45", "only go knows the authority").unset("GIT_SSL_CAINFO").fixed(),
        repository("E46", "an address of curloptResolve is none")
            .gitconfig("[http]\n\tcurloptResolve = pub.corp.test:443:git.corp.test\n")
            .fixed(),
        repository("E46", "a line of .gitconfig is none").gitconfig("[user").fixed(),
        repository("E46", "several lines of .gitconfig are none")
            .gitconfig("[http\n\tsslVerify = true\n\tproxy = \"\n=\n")
            .fixed(),
    ]
}

/// Variables that a startup file sets, so that they can be mended there.
fn startup() -> Vec<Case> {
    let set = |code: &str, lines: &str| {
        Case::new(code)
            .about(&format!("in .profile: {}", lines.replace('\n', "; ")))
            .file("~/.profile", lines)
            .wrap(&["sh", "-c", ". \"$HOME/.profile\"; exec \"$@\"", "sh"])
    };
    let by_hand =
        |code: &str, lines: &str| set(code, lines).repository("pub.corp.test").fails(&[Git]);
    let set = |code: &str, lines: &str| set(code, lines).fixed();
    let git = |code: &str, lines: &str| by_hand(code, lines).fixed();
    let two = |value: &str| format!("export https_proxy='{value}'\n");
    let proxy = "proxy.corp.test:3128";
    vec![
        set("E19", "export GOPROXY=https://gp403.corp.test\n").module(PUBLIC),
        set("E01", "export GOPROXY=off\n").module(PUBLIC),
        set("E28", &format!("export HTTP_PROXY={OPEN}\n")).origin("drop.corp.test").hangs(&[Go]),
        git("E29", &format!("export HTTPS_PROXY={OPEN}\nexport https_proxy={REFUSED}\n")),
        git("E31", &format!("export https_proxy={REFUSED}\nexport no_proxy='*.corp.test'\n")),
        git("E32", &format!("export https_proxy={REFUSED}\nexport no_proxy=pub.corp.test:443\n")),
        set(
            "E33",
            &format!("export https_proxy={REFUSED}\nexport no_proxy='x.test pub.corp.test'\n"),
        )
        .origin("pub.corp.test"),
        git("E34", &format!("export https_proxy={REFUSED}\nexport no_proxy=127.0.0.0/8\n")),
        git(
            "E35",
            &format!("export https_proxy={REFUSED}\nexport no_proxy=https://pub.corp.test\n"),
        ),
        git("E36", &format!("export ALL_PROXY={REFUSED}\n")),
        // Mending these would write a password: it belongs into gocred's store instead.
        by_hand("E37", &two(&format!("http://puser:{PUSER}#x@{proxy}"))),
        by_hand("E38", &two(&format!("http://puser:{PUSER}%zz@{proxy}"))),
        by_hand("E39", &two(&format!("http://puser:{PUSER}@x@{proxy}"))),
        git("E40", &two("http://proxyopen.corp.test:99999")),
        git("E41", &two("pac+http://proxyopen.corp.test/proxy.pac")),
        git("E44", "export GIT_SSL_CAINFO=/nonexistent.pem\n"),
    ]
}
