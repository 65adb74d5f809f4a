//! Two independent failures on one way: what is seen of a file or a setting, and what a server on the same way does.
//! Mending either leaves the other; both must be named, and the one that stops the tool stands first.

use super::{
    case::{
        ALICE, ATHENS, Case, PROXY,
        Tool::{Git, Go},
        WRONG,
    },
    pairs::pair,
};

/// A module of nobody's host, through GOPROXY.
const PUBLIC: &str = "example.com/pub@v1.0.0";
/// A key of the same name that the checksum database does not sign with.
const OTHER: &str = "sum.corp.test+12ae429e+AdkpihDRsHNYN9xL2F2sZBsPPO8npH5dU6VPLz9bL8/6";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [logins(), git(), go(), sums(), proxies(), exceptions(), names(), own()].concat()
}

/// A machine's line of netrc.
fn entry(machine: &str, user: &str, secret: &str) -> String {
    format!("machine {machine} login {user} password {secret}\n")
}

/// From this module proxy.
fn from(case: Case, proxy: &str) -> Case {
    case.goenv(&format!("GOPROXY=https://{proxy}.corp.test")).module(PUBLIC)
}

/// Files with logins, and who asks for one.
fn logins() -> Vec<Case> {
    let netrc = |case: Case, text: &str| case.file("~/.netrc", text);
    let open = |case: Case, text: &str| case.file("~/.netrc", text).mode("~/.netrc", 0o644);
    let gpauth = |case: Case| from(case, "gpauth");
    vec![
        open(
            pair("A02", "A28", "a wrong password, in a file that all can read")
                .repository("git.corp.test"),
            &entry("git.corp.test", "alice", WRONG),
        ),
        open(
            gpauth(pair("A24", "A28", "a port in netrc, which all can read")),
            &entry("gpauth.corp.test:443", "athens", ATHENS),
        ),
        open(
            gpauth(pair("A25", "A28", "`default` in netrc, which all can read")),
            &format!("default login athens password {ATHENS}\n"),
        ),
        open(
            gpauth(pair("A26", "A28", "quotes in netrc, which all can read")),
            &format!("machine gpauth.corp.test login athens password \"{ATHENS}\"\n"),
        ),
        open(
            pair("T04", "A28", "netrc that all can read, and an expired certificate")
                .origin("expired.corp.test"),
            &entry("expired.corp.test", "alice", ALICE),
        ),
        netrc(
            pair("A02", "A29", "go has a netrc of its own, and git's is wrong"),
            &entry("git.corp.test", "alice", WRONG),
        )
        .env("NETRC", "{HOME}/other")
        .file("~/other", entry("git.corp.test", "alice", ALICE))
        .repository("git.corp.test"),
        gpauth(pair("A18", "E19", "GOAUTH=off as a variable, before go's file"))
            .env("GOAUTH", "off")
            .goenv("GOAUTH=netrc")
            .file("~/.netrc", entry("gpauth.corp.test", "athens", ATHENS)),
        pair("A14", "E09", "a private module, asked of a proxy that wants a login")
            .goenv("GOPROXY=https://gpauth.corp.test")
            .module("git.corp.test/team/lib@v1.0.0"),
    ]
}

/// git's settings, and its hosts.
fn git() -> Vec<Case> {
    let set = |case: Case, text: &str| case.gitconfig(text);
    vec![
        set(pair("A01", "E59", "sslVerify=false, and no login"), "[http]\n\tsslVerify = false\n")
            .repository("git.corp.test"),
        set(pair("H17", "E59", "sslVerify=false, and 503"), "[http]\n\tsslVerify = false\n")
            .repository("s503.corp.test"),
        set(
            pair("A01", "G30", "little patience, and no login"),
            "[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 2\n",
        )
        .repository("git.corp.test"),
        set(
            pair("T04", "G27", "useHttpPath, and an expired certificate"),
            "[credential]\n\thelper = store\n\tuseHttpPath = true\n",
        )
        .repository("expired.corp.test"),
        set(
            pair("T07", "G28", "a stored login that git cannot read, and another's certificate"),
            "[credential]\n\thelper = store\n",
        )
        .file("~/.git-credentials", "https://alice:kanarie/al%ice#7@wronghost.corp.test\n")
        .repository("wronghost.corp.test"),
        set(
            pair("T04", "G01", "a helper that is not there, and an expired certificate"),
            "[credential]\n\thelper = corp-vault\n",
        )
        .repository("expired.corp.test"),
        set(
            pair("D01", "G02", "a helper that may not be run, and no such name"),
            "[credential]\n\thelper = {HOME}/cred\n",
        )
        .file("~/cred", "#!/bin/sh\n")
        .repository("nosuch.corp.test"),
        pair("H15", "G29", "an askpass that is not there, and 500")
            .env("GIT_ASKPASS", "/nonexistent/askpass")
            .repository("s500.corp.test"),
        set(
            pair("G26", "A03", "https is forbidden, and the page wants a login"),
            "[protocol \"https\"]\n\tallow = never\n",
        )
        .origin("authall.corp.test"),
        set(
            pair("G37", "T20", "another system's TLS library, and an unknown authority"),
            "[http]\n\tsslBackend = schannel\n",
        )
        .origin("second.corp.test"),
        pair("T04", "E24", "GOVCS forbids git, and the certificate has expired")
            .origin("expired.corp.test")
            .goenv("GOVCS=*:off"),
        pair("A03", "G12", "no git, and the page wants a login")
            .origin("authall.corp.test")
            .without_path("git"),
        set(
            pair("H17", "G11", "a fixed header with a login, and 503"),
            "[http \"https://s503.corp.test/\"]\n\textraHeader = Authorization: Bearer kanarie-hdr-6Yt\n",
        )
        .repository("s503.corp.test"),
    ]
}

/// go's settings, and module proxies.
fn go() -> Vec<Case> {
    let get = |case: Case| case.go(&["get", PUBLIC]);
    vec![
        get(from(pair("E26", "M03", "a flag that is gone, and a policy"), "gp403"))
            .goenv("GOFLAGS=-insecure"),
        from(pair("E20", "M03", "no modules, and a policy"), "gp403").goenv("GO111MODULE=off"),
        from(pair("E22", "M05", "a relative cache, and 500"), "gp500").goenv("GOMODCACHE=mod"),
        from(pair("M05", "E27", "a name that go does not know, and 500"), "gp500")
            .goenv("GONOSUMCHECK=1"),
        from(pair("L05", "M01", "a cache of somebody else's, and 404"), "gp404")
            .user()
            .folder("~/go/pkg/mod/cache")
            .owner("~/go/pkg/mod/cache", 0),
        from(pair("L03", "M06", "no temporary folder, and 502"), "gp502")
            .env("TMPDIR", "{HOME}/missing"),
        from(pair("M13", "E59", "a proxy that stalls, and sslVerify=false"), "gpstall")
            .gitconfig("[http]\n\tsslVerify = false\n")
            .hangs(&[Go]),
        pair("M22", "S12", "a fork that was not renamed, and nothing is checked")
            .here("module work.test/main\n\ngo 1.21\n\nrequire example.com/fork v1.0.0\n")
            .goenv("GOSUMDB=off")
            .go(&["list", "-m", "all"]),
        pair("E51", "A14", "a folder that is not there, and no login")
            .goenv("GOPROXY=https://gpauth.corp.test")
            .here(
                "module work.test/main\n\ngo 1.21\n\nrequire (\n\texample.com/pub v1.0.0\n\
                 \texample.com/m01 v1.0.0\n)\n\nreplace example.com/m01 => ../gone\n",
            )
            .also(&["M17"]),
    ]
}

/// The checksum database, and the module proxy.
fn sums() -> Vec<Case> {
    let at = |url: &str| format!("GOSUMDB={{SUMDB}} https://{url}.corp.test");
    vec![
        from(pair("M03", "S12", "GOSUMDB=off, and a policy"), "gp403").goenv("GOSUMDB=off"),
        from(pair("N01", "S15", "nothing is checked, and nobody listens"), "refused")
            .goenv("GONOSUMDB=*"),
        from(pair("S06", "M03", "GOSUMDB is no key, and a policy"), "gp403")
            .goenv("GOSUMDB=sum.corp.test"),
        from(pair("S07", "N01", "GOSUMDB has three words, and nobody listens"), "refused")
            .goenv("GOSUMDB={SUMDB} https://sum.corp.test x"),
        from(pair("S05", "M09", "another key, and no zip"), "gpbadzip")
            .goenv(&format!("GOSUMDB={OTHER}")),
        from(pair("S01", "M12", "no database, and half a zip"), "gptrunc").goenv(&at("refused")),
        from(pair("S10", "M14", "a database that is not trusted, and no zip"), "gpzip404")
            .goenv(&at("mitm")),
        from(pair("S11", "M10", "a database with a limit, and another version"), "gpversion")
            .goenv(&at("s429")),
        from(pair("S09", "M09", "a portal for a database, and no zip"), "gpbadzip")
            .goenv(&at("sumhtml")),
    ]
}

/// Proxies, and what is behind or before them.
fn proxies() -> Vec<Case> {
    let login = |host: &str, scheme: &str| format!("{scheme}://puser:{WRONG}@{host}.corp.test");
    vec![
        pair("P02", "E43", "a wrong password, in a variable")
            .proxy(&format!("{}:3128", login("proxy", "http")))
            .repository("pub.corp.test"),
        pair("T04", "E43", "a password in a variable, and an expired certificate")
            .proxy(PROXY)
            .repository("expired.corp.test"),
        pair("P10", "E43", "a password in a variable, and a policy")
            .proxy(PROXY)
            .repository("blocked.corp.test"),
        pair("P31", "E43", "a password in a variable, and an expired proxy")
            .proxy(&format!("{}:3129", login("proxybadtls", "https")))
            .repository("pub.corp.test"),
        pair("P29", "E43", "a password in a variable, and https:// for a plain port")
            .proxy(&format!("{}:3128", login("proxyopen", "https")))
            .repository("pub.corp.test"),
        pair("A01", "E43", "a password in a variable, and none for git")
            .proxy(PROXY)
            .repository("git.corp.test"),
        pair("P27", "G01", "a proxy where nobody listens, and a helper that is not there")
            .proxy("http://refused.corp.test:3128")
            .gitconfig("[credential]\n\thelper = corp-vault\n")
            .repository("git.corp.test"),
        pair("H17", "E43", "a password in a variable, and 503 behind the proxy")
            .proxy(PROXY)
            .repository("s503.corp.test")
            .fails(&[Git]),
    ]
}

/// A proxy that should not be asked at all, by an exception that does not match; and it does not work either.
fn exceptions() -> Vec<Case> {
    let past = |case: Case, list: &str| case.env("NO_PROXY", list).env("no_proxy", list);
    let wrong = format!("http://puser:{WRONG}@proxy.corp.test:3128");
    vec![
        past(pair("E31", "P31", "an exception with a star, and an unknown proxy"), "*.corp.test")
            .proxy("https://proxybadtls.corp.test:3129")
            .repository("pub.corp.test"),
        past(pair("E32", "P01", "an exception with a port, and no login"), "pub.corp.test:443")
            .proxy("http://proxy.corp.test:3128")
            .repository("pub.corp.test"),
        past(
            pair("E33", "P02", "exceptions with blanks, and a wrong login"),
            "x.test pub.corp.test",
        )
        .proxy(&wrong)
        .also(&["E43"])
        .origin("pub.corp.test"),
        past(pair("E34", "P10", "a block of addresses, and a policy"), "127.0.0.0/8")
            .proxy("http://p403.corp.test:3128")
            .repository("pub.corp.test"),
        past(
            pair("E35", "P19", "an exception that is a URL, and a reset"),
            "https://pub.corp.test",
        )
        .proxy("http://preset.corp.test:3128")
        .repository("pub.corp.test"),
        pair("E29", "P02", "two spellings, one with a wrong login")
            .env("HTTPS_PROXY", PROXY)
            .env("https_proxy", &wrong)
            .repository("pub.corp.test"),
        pair("E36", "P02", "ALL_PROXY, with a wrong login")
            .env("ALL_PROXY", &wrong)
            .repository("pub.corp.test"),
        pair("E30", "P31", "git's own proxy, which nobody trusts")
            .gitconfig("[http]\n\tproxy = https://proxybadtls.corp.test:3129\n")
            .repository("pub.corp.test"),
        from(
            pair("E12", "A14", "GOPRIVATE with a blank, and a proxy that wants a login"),
            "gpauth",
        )
        .goenv("GOPRIVATE=other.test, pub.corp.test")
        .module("pub.corp.test/team/lib@v1.0.0"),
        from(pair("A14", "A28", "netrc of another host, which all can read"), "gpauth")
            .file("~/.netrc", entry("git.corp.test", "alice", ALICE))
            .mode("~/.netrc", 0o644),
    ]
}

/// Names and packets, and settings beside them.
fn names() -> Vec<Case> {
    vec![
        pair("D05", "E59", "a closed name server, and sslVerify=false")
            .resolv("nameserver 127.0.0.78\n")
            .gitconfig("[http]\n\tsslVerify = false\n")
            .or(&["D04", "D01"])
            .repository("pub.corp.test"),
        pair("N03", "G01", "a prohibition, and a helper that is not there")
            .gitconfig("[credential]\n\thelper = corp-vault\n")
            .repository("adminproh.corp.test"),
        pair("N05", "L07", "a reset, and an old git")
            .file("~/old/git", "#!/bin/sh\nPATH=${PATH#*:}\n\
                case $1 in version | --version) echo git version 1.8.3.1 ;; *) exec git \"$@\" ;; esac\n")
            .mode("~/old/git", 0o755)
            .wrap(&["sh", "-c", "PATH=\"$HOME/old:$PATH\" exec \"$@\"", "sh"])
            .repository("accrst.corp.test"),
        pair("T01", "E25", "GOINSECURE, and a certificate that signed itself")
            .origin("selfsigned.corp.test")
            .goenv("GOINSECURE=*.corp.test"),
    ]
}

/// gocred's own files, and the way.
fn own() -> Vec<Case> {
    let broken = |case: Case| case.file("~/.config/gocred/config.toml", "[proxy]\nlisten_on = 5\n");
    vec![
        broken(pair("K10", "T04", "gocred's own file, and an expired certificate"))
            .repository("expired.corp.test"),
        broken(pair("K10", "D01", "gocred's own file, and no such name"))
            .origin("nosuch.corp.test"),
        pair("T07", "K04", "a helper before gocred, and another's certificate")
            .gitconfig("[credential]\n\thelper = store\n\thelper = {HELPER}\n")
            .repository("wronghost.corp.test"),
        pair("K01", "E59", "gocred does not run, and sslVerify=false")
            .proxy("http://127.0.0.1:7407")
            .gitconfig("[http]\n\tsslVerify = false\n")
            .repository("pub.corp.test"),
    ]
}
