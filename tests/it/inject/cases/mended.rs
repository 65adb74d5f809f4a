//! Failures that `--fix` mends, where the other files of this folder inject them in a way that no program may
//! mend: a variable of the caller's, for one, is nowhere written.

use crate::inject::case::{
    ATHENS, Case,
    Tool::{Git, Go},
    WRONG,
};

/// A module of nobody's host, through GOPROXY.
const PUBLIC: &str = "example.com/pub@v1.0.0";
/// A module of the open host, through GOPROXY.
const LIB: &str = "pub.corp.test/team/lib@v1.0.0";
/// A proxy that asks for no login.
const OPEN: &str = "proxyopen.corp.test:3128";
/// A module that no module proxy has.
const LIB_OF_GIT: &str = "complete.corp.test/team/lib@v1.0.0";
/// The same behind TLS.
const TLS: &str = "proxytls.corp.test:3129";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let cases = [startup(), both_spellings(), of_go(), of_git(), of_disk()].concat();
    cases.into_iter().map(Case::fixed).collect()
}

/// What `~/.profile` sets.
fn startup() -> Vec<Case> {
    let set = |code: &str, lines: &str| {
        Case::new(code)
            .about(&format!("in .profile: {}", lines.trim().replace('\n', "; ")))
            .file("~/.profile", lines)
            .wrap(&["sh", "-c", ". \"$HOME/.profile\"; exec \"$@\"", "sh"])
    };
    let git = |code: &str, lines: &str| set(code, lines).repository("pub.corp.test").fails(&[Git]);
    let proxy = |url: &str| format!("export https_proxy={url}\n");
    vec![
        set("E42", &format!("export REQUEST_METHOD=GET\nexport HTTP_PROXY=http://{OPEN}\n"))
            .goenv("GOPROXY=http://goproxyh.corp.test")
            .module(PUBLIC),
        git("E48", &proxy("http://127.0.0.1:3999")).env("WSL_DISTRO_NAME", "Ubuntu"),
        set("A27", "export NETRC={HOME}/missing\n")
            .file("~/.netrc", format!("machine gpauth.corp.test login athens password {ATHENS}\n"))
            .goenv("GOPROXY=https://gpauth.corp.test")
            .module(PUBLIC),
        set("G29", "export GIT_ASKPASS=/nonexistent/askpass\n").repository("git.corp.test"),
        git("P29", &proxy(&format!("https://{OPEN}"))),
        git("P30", &proxy(&format!("http://{TLS}"))).env("GIT_PROXY_SSL_CAINFO", "{CA}"),
        git("P32", &proxy(&format!("socks5://{OPEN}"))).hangs(&[Git]),
        set("T21", "unset SSL_CERT_FILE\nexport SSL_CERT_FILE={HOME}/empty.pem\n")
            .file("~/empty.pem", "")
            .folder("~/nobody")
            .env("SSL_CERT_DIR", "{HOME}/nobody")
            .unset("GIT_SSL_CAINFO")
            .unset("CURL_CA_BUNDLE")
            .origin("pub.corp.test"),
    ]
}

/// Variables that have two names, or stand in two places: mending one of them is not enough.
fn both_spellings() -> Vec<Case> {
    let set = |code: &str, lines: &str| {
        Case::new(code)
            .about(&format!("twice: {}", lines.trim().replace('\n', "; ")))
            .file("~/.profile", lines)
            .wrap(&["sh", "-c", ". \"$HOME/.profile\"; exec \"$@\"", "sh"])
            .repository("pub.corp.test")
            .fails(&[Git])
    };
    let both = |url: &str| {
        let names = ["HTTPS_PROXY", "https_proxy"];
        names.map(|name| format!("export {name}={url}\n")).concat()
    };
    let refused = both("http://refused.corp.test:1");
    let except =
        |list: &str| format!("{refused}export NO_PROXY='{list}'\nexport no_proxy='{list}'\n");
    vec![
        set("E31", &except("*.corp.test")),
        set("E32", &except("pub.corp.test:443")),
        set("E34", &except("127.0.0.0/8")),
        set("E35", &except("https://pub.corp.test")),
        set("E40", &both("http://proxyopen.corp.test:99999")),
        set("E48", &both("http://127.0.0.1:3999")).env("WSL_DISTRO_NAME", "Ubuntu"),
        set("P29", &both(&format!("https://{OPEN}"))),
        set("P30", &both(&format!("http://{TLS}"))).env("GIT_PROXY_SSL_CAINFO", "{CA}"),
        set("P32", &both(&format!("socks5://{OPEN}"))).hangs(&[Git]),
        // The small letters work, and go reads the capitals.
        set(
            "E29",
            &format!(
                "export HTTPS_PROXY=http://refused.corp.test:1\nexport https_proxy=http://{OPEN}\n"
            ),
        )
        .origin("pub.corp.test")
        .succeeds(&[Git])
        .fails(&[Go]),
        set("E01", "export GOPROXY=off\n").goenv("GOPROXY=off").module(PUBLIC).fails(&[Go]),
    ]
}

/// go's environment file.
fn of_go() -> Vec<Case> {
    let list = |code: &str, value: &str| {
        let case = Case::new(code).about(&format!("GOPROXY={value} in go's file"));
        case.goenv(&format!("GOPROXY={value}")).module(PUBLIC)
    };
    let sums = |code: &str, value: &str| {
        let case = Case::new(code).about(&format!("GOSUMDB={value} in go's file"));
        case.goenv(&format!("GOSUMDB={value}")).module(PUBLIC)
    };
    let windows = |about: &str, lines: &str| {
        let lines = format!("GOPROXY=https://goproxy.corp.test\n{lines}");
        let case =
            Case::new("E62").about(about).file("~/.config/go/env", lines.replace('\n', "\r\n"));
        case.env("GOSUMDB", "off").module(PUBLIC).says("/go/env:2")
    };
    vec![
        windows("GOTOOLCHAIN, and the line ends of Windows", "GOTOOLCHAIN=local\n"),
        windows("GO111MODULE, and the line ends of Windows", "GO111MODULE=on\n"),
        windows("GOPRIVATE, and the line ends of Windows", "GOPRIVATE=*.corp.test\n")
            .module(LIB_OF_GIT),
        list("E07", "direct,https://goproxy.corp.test"),
        list("E55", "https://gocenter.io,https://goproxy.corp.test"),
        sums("S06", "sum.corp.test"),
        sums("S07", "{SUMDB} https://sum.corp.test more"),
        Case::new("E47")
            .about("only .bashrc sets GOPRIVATE")
            .goenv("GOPROXY=https://gp403.corp.test")
            .file("~/.bashrc", "export GOPRIVATE='*.corp.test'\n")
            .module(LIB),
    ]
}

/// `~/.gitconfig`
fn of_git() -> Vec<Case> {
    let host = "git.corp.test";
    let stale = format!("\"!f() {{ echo username=alice; echo password={WRONG}; }}; f\"");
    let two = format!("[credential]\n\thelper = {stale}\n\thelper = {{HELPER}}\n");
    vec![
        Case::new("G29")
            .about("core.askPass is not there")
            .gitconfig("[core]\n\taskPass = /nonexistent/askpass\n")
            .repository(host),
        Case::new("G01")
            .about("one helper of two is not there")
            .gitconfig("[credential]\r\n\thelper = corp-vault\r\n\thelper = cache")
            .repository(host),
        Case::new("E59")
            .about("http.sslVerify=false, twice")
            .gitconfig(
                "[http]\n\tsslVerify = false\n[http \"https://pub.corp.test/\"] sslVerify = 0\n",
            )
            .repository("pub.corp.test")
            .succeeds(&[Git]),
        Case::new("K04").about("a stale helper before gocred").gitconfig(&two).repository(host),
    ]
}

/// Where go keeps modules, though another place would do.
fn of_disk() -> Vec<Case> {
    let there = |code: &str, about: &str, name: &str| {
        let case = Case::new(code).about(about).goenv(&format!("GOMODCACHE={{HOME}}/{name}"));
        case.folder(&format!("~/{name}")).module(PUBLIC).fails(&[Go])
    };
    vec![
        there("L01", "GOMODCACHE is read-only", "shut").root(|stage| {
            stage.sh("mount -t tmpfs -o ro none {HOME}/shut");
        }),
        Case::new("L05")
            .about("no folder of the cache may be written")
            .user()
            .folder("~/go/pkg/mod/cache/download")
            .folder("~/go/pkg/mod/cache/vcs")
            .mode("~/go/pkg/mod/cache/download", 0o500)
            .mode("~/go/pkg/mod/cache/vcs", 0o500)
            .mode("~/go/pkg/mod/cache", 0o500)
            .module(PUBLIC),
        there("L02", "GOMODCACHE is full", "small").root(|stage| {
            stage.sh("mount -t tmpfs -o size=16k none {HOME}/small");
        }),
    ]
}
