//! A: who one is.
//!
//! A30 and A33 (two accounts, a login for another port) need gocred's store and stand in `k`; A32 (a refresh token
//! that was withdrawn) is not injected: its page says why.

use crate::inject::case::{
    ALICE, ATHENS, Case, Target,
    Tool::{Git, Go},
    WRONG, both,
};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [
        origins(),
        schemes(),
        module_proxies(),
        goauth(),
        netrc(),
        order(),
        folders(),
        accounts(),
        stored(),
    ]
    .concat()
}

/// What a git host answers.
fn origins() -> Vec<Case> {
    let fails = |code, about, host| both(code, about, host, |case| case);
    let with = |code, about, host: &str| {
        let entry = entry(host, "alice", ALICE);
        both(code, about, host, move |case| case.file("~/.netrc", &entry))
    };
    [
        fails("A01", "no login", "git.corp.test"),
        both("A02", "a wrong password in netrc", "git.corp.test", |case| {
            case.file("~/.netrc", entry("git.corp.test", "alice", WRONG))
        }),
        vec![
            Case::new("A03").about("a page for who is logged in").origin("authall.corp.test"),
            Case::new("A03")
                .about("the same, and git has a helper")
                .origin("authall.corp.test")
                .gitconfig(&helper("alice", ALICE)),
            Case::new("A02")
                .about("a page, and a wrong password")
                .origin("authall.corp.test")
                .file("~/.netrc", entry("authall.corp.test", "alice", WRONG)),
        ],
        fails("A04", "a 404 in place of a 401", "mask404.corp.test"),
        with("A05", "a scope is missing", "scope403.corp.test"),
        with("A06", "single sign-on is missing", "sso403.corp.test"),
        fails("A07", "passwords are no longer taken", "pwremoved.corp.test"),
        with("A07", "a password that is no longer taken", "pwremoved.corp.test"),
        both("A13", "a redirect to another host", "xhost.corp.test", |case| case),
        both("A13", "a redirect, with a login for the first host", "xhost.corp.test", |case| {
            case.file("~/.netrc", entry("xhost.corp.test", "alice", ALICE))
        }),
    ]
    .concat()
}

/// Which logins a host offers.
fn schemes() -> Vec<Case> {
    let fails = |code, about, host| both(code, about, host, |case| case);
    [
        fails("A08", "NTLM only", "ontlm.corp.test"),
        fails("A09", "Negotiate only", "onegotiate.corp.test"),
        fails("A10", "Bearer only", "obearer.corp.test"),
        fails("A11", "Digest only", "odigest.corp.test"),
        fails("A12", "no challenge", "nochal.corp.test"),
        both("A10", "Bearer only, and a password in netrc", "obearer.corp.test", |case| {
            case.file("~/.netrc", entry("obearer.corp.test", "alice", ALICE))
        }),
    ]
    .concat()
}

/// A module from the proxy that wants a login.
fn proxied(code: &str, about: &str) -> Case {
    Case::new(code)
        .about(about)
        .goenv("GOPROXY=https://gpauth.corp.test")
        .module("example.com/pub@v1.0.0")
}

/// What a module proxy answers.
fn module_proxies() -> Vec<Case> {
    let clear = |code: &str, about: &str| {
        Case::new(code)
            .about(about)
            .goenv("GOPROXY=http://gphauth.corp.test")
            .module("example.com/pub@v1.0.0")
    };
    vec![
        proxied("A14", "no login for the module proxy"),
        proxied("A14", "a login for another host")
            .file("~/.netrc", entry("git.corp.test", "alice", ALICE)),
        proxied("A14", "the second of two, behind one that lacks the module")
            .goenv("GOPROXY=https://gp404.corp.test,https://gpauth.corp.test"),
        proxied("A15", "a wrong password in netrc")
            .file("~/.netrc", entry("gpauth.corp.test", "athens", WRONG)),
        proxied("A15", "a wrong password in GOPROXY")
            .goenv(&format!("GOPROXY=https://athens:{WRONG}@gpauth.corp.test")),
        clear("A16", "netrc, and a module proxy over http")
            .file("~/.netrc", entry("gphauth.corp.test", "athens", ATHENS))
            .fixed(),
        clear("A16", "a module proxy over http").fixed(),
        clear("A17", "a password for http")
            .goenv(&format!("GOPROXY=http://athens:{ATHENS}@gphauth.corp.test"))
            .fixed(),
    ]
}

/// GOAUTH's commands.
fn goauth() -> Vec<Case> {
    let entry = entry("gpauth.corp.test", "athens", ATHENS);
    vec![
        proxied("A18", "GOAUTH=off").goenv("GOAUTH=off").file("~/.netrc", &entry).fixed(),
        proxied("A19", "a command that is not there").goenv("GOAUTH=corp-goauth").fixed(),
        proxied("A20", "a command that prints something else").goenv("GOAUTH=echo hello"),
        proxied("A21", "a command that fails").goenv("GOAUTH=false"),
        proxied("A21", "a command that is killed")
            .file("~/goauth", "#!/bin/sh\nkill -9 $$\n")
            .mode("~/goauth", 0o755)
            .goenv("GOAUTH={HOME}/goauth"),
        proxied("A22", "a command that hangs").goenv("GOAUTH=sleep 600").hangs(&[Go]),
        proxied("A23", "git without an absolute folder").goenv("GOAUTH=git work").fixed(),
        proxied("A35", "an empty command").goenv("GOAUTH=netrc;").fixed(),
    ]
}

/// What every host is given first.
const WRONG_FIRST: &str = "default login alice password kanarie-default-8Hs\n";

/// netrc, in the dialects of go and curl.
fn netrc() -> Vec<Case> {
    let host = "gpauth.corp.test";
    let text = entry(host, "athens", ATHENS);
    vec![
        proxied("A24", "a port in netrc")
            .file("~/.netrc", entry("gpauth.corp.test:443", "athens", ATHENS))
            .fixed(),
        Case::new("A24")
            .about("no port in netrc, one in GOPROXY")
            .goenv("GOPROXY=https://gpauth.corp.test:8443")
            .module("example.com/pub@v1.0.0")
            .file("~/.netrc", &text)
            .says(".netrc:1"),
        proxied("A25", "`default` in netrc")
            .file("~/.netrc", format!("default login athens password {ATHENS}\n"))
            .fixed(),
        proxied("A26", "quotes in netrc")
            .file("~/.netrc", format!("machine {host} login athens password \"{ATHENS}\"\n"))
            .fixed(),
        proxied("A27", "a byte order mark in netrc")
            .file("~/.netrc", format!("\u{feff}{text}"))
            .says(".netrc:1")
            .fixed(),
        proxied("A27", "a macro, and the line ends of Windows")
            .file("~/.netrc", format!("macdef init\r\nquit\r\n\r\n{}", text.replace('\n', "\r\n")))
            .says(".netrc:4")
            .fixed(),
        both_of("A27", "a byte order mark in netrc", "git.corp.test")
            .file("~/.netrc", format!("\u{feff}{}", entry("git.corp.test", "alice", ALICE)))
            .says(".netrc:1")
            .fixed(),
        proxied("A27", "netrc is a folder").folder("~/.netrc").fixed(),
        both_of("A27", "netrc is a folder", "git.corp.test").folder("~/.netrc").fixed(),
        proxied("A27", "netrc cannot be read")
            .file("~/.netrc", &text)
            .mode("~/.netrc", 0)
            .user()
            .fixed(),
        proxied("A28", "netrc can be read by everybody")
            .file("~/.netrc", &text)
            .mode("~/.netrc", 0o644)
            .succeeds(&[Go])
            .fixed(),
        proxied("A29", "NETRC is go's only")
            .file("~/other", &text)
            .env("NETRC", "{HOME}/other")
            .succeeds(&[Go]),
    ]
}

/// A login that git has in one folder, where go does not start it.
fn folders() -> Vec<Case> {
    let rule = format!(
        "[url \"https://alice:{ALICE}@git.corp.test/\"]\n\tinsteadOf = https://git.corp.test/\n"
    );
    let case = Case::new("A01")
        .about("a login that counts in the folder of a repository only")
        .gitconfig("[includeIf \"gitdir:{WORK}/\"]\n\tpath = ~/work.inc\n")
        .file("~/work.inc", rule)
        .prepare(|stage| {
            stage.sh("git init -q .");
        });
    vec![case.module("git.corp.test/team/lib.git@v1.0.0").private()]
}

/// Entries of netrc that stand behind others.
fn order() -> Vec<Case> {
    let host = "gpauth.corp.test";
    let text = entry(host, "athens", ATHENS);
    vec![
        both_of("A25", "`default` before the host", "git.corp.test")
            .file("~/.netrc", format!("{WRONG_FIRST}{}", entry("git.corp.test", "alice", ALICE)))
            .says(".netrc:1")
            .says(".netrc:2")
            .fixed(),
        proxied("A25", "`default` before the host, in a file that may only be read")
            .file("~/.netrc", format!("default\n login x\n password {ATHENS}x\n{text}"))
            .mode("~/.netrc", 0o400)
            .user()
            .says(".netrc:1")
            .fixed(),
        proxied("A25", "`default` alone on a line before the host")
            .file(
                "~/.netrc",
                format!("default\n login x\n password {ATHENS}x\n{}", text.trim_end()),
            )
            .says(".netrc:1")
            .fixed(),
        both_of("A02", "two entries for a host, the old one first", "git.corp.test")
            .file("~/.netrc", [WRONG, ALICE].map(|it| entry("git.corp.test", "alice", it)).concat())
            .says(".netrc:1")
            .says(".netrc:2")
            .fixed(),
        both_of("A02", "two entries for a host, both old", "git.corp.test")
            .file(
                "~/.netrc",
                [WRONG, ATHENS].map(|it| entry("git.corp.test", "alice", it)).concat(),
            )
            .says(".netrc:1")
            .says(".netrc:2"),
        proxied("A15", "two entries for a host, the old one first")
            .file("~/.netrc", [WRONG, ATHENS].map(|it| entry(host, "athens", it)).concat())
            .says(".netrc:1")
            .says(".netrc:2")
            .fixed(),
    ]
}

/// A repository, asked by git.
fn both_of(code: &str, about: &str, host: &str) -> Case {
    Case::new(code).about(about).repository(host)
}

/// Logins that have ended, or are for another port.
fn accounts() -> Vec<Case> {
    // {"alg":"none"}.{"exp":1000000000}: it ended in 2001.
    let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.kanarie-jwt-2Lm";
    both("A31", "a token whose date is over", "git.corp.test", |case| {
        let case = case.file("~/.netrc", entry("git.corp.test", "oauth2", token));
        match case.target {
            Target::Url(_) => case.fails(&[Git]),
            _ => case,
        }
    })
}

/// What git-credential-store keeps, and for whom. (Of two users git itself takes out the one that is rejected.)
fn stored() -> Vec<Case> {
    let lines = |text: String| {
        Case::default()
            .repository("git.corp.test")
            .gitconfig("[credential]\n\thelper = store\n")
            .file("~/.git-credentials", text)
            .fails(&[Git])
    };
    let named = |code: &str, about: &str, case: Case| Case {
        code: code.to_owned(),
        about: about.to_owned(),
        ..case
    };
    vec![
        named(
            "A33",
            "git's store has a login for another port",
            lines(format!("https://alice:{ALICE}@git.corp.test:8443\n")).says(".git-credentials:1"),
        ),
        named("A01", "a note in git's store", lines("\n# nobody\n".to_owned())),
    ]
}

fn entry(host: &str, user: &str, secret: &str) -> String {
    format!("machine {host} login {user} password {secret}\n")
}

/// A helper of one line.
fn helper(user: &str, secret: &str) -> String {
    format!(
        "[credential]\n\thelper = \"!f() {{ echo username={user}; echo password={secret}; }}; f\"\n"
    )
}
