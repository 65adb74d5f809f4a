//! git behind the loopback proxy with `http.proxy = http://gocred@127.0.0.1:PORT`: our helper opens the
//! door, and says what git itself does not show.

use std::{thread, time::Duration};

use gocred::proxy::control::Bound;
use rustix::process::Signal;

use super::{
    proxy_connect::with_token,
    proxy_lab::{Daemon, Upstream, proxy},
    support::{
        developer::Developer,
        eventually,
        git::{Desk, gits},
        go::Release,
        home::Output,
        lab::Lab,
    },
};

const NOT_RUNNING: &str = "gocred: the loopback proxy is not running; run: gocred proxy start\n";

/// What git asks and tells about a proxy (http.c, `proxy_auth`).
fn question(host: impl std::fmt::Display) -> String {
    format!("protocol=http\nhost={host}\nusername=gocred\n")
}

fn start(desk: &Desk, upstream: &Upstream) -> Daemon {
    let run = proxy(&desk.home, &[upstream.url()]);
    Daemon::start(&run.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()))
}

/// A proxy that wants a login, for which nothing is stored.
fn wall() -> Upstream {
    Upstream::saying(
        "HTTP/1.1 407 login\r\nContent-Length: 0\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\n",
    )
}

/// `gocred[P01]: … ; run: …`
fn assert_p01(output: &Output, upstream: &Upstream) {
    let line = format!(
        "gocred[P01]: {0} asks for a login, and none is stored; run: gocred login --proxy http://{0}\n",
        upstream.address
    );
    assert!(output.err().starts_with(&line), "{line}{output:?}");
}

#[test]
fn the_helper_opens_the_door_of_the_running_proxy_and_no_other() {
    let Some(desk) = Desk::new() else { return };
    let daemon = start(&desk, &Upstream::echo());
    let port = daemon.address.port();
    let said = desk.get(question(daemon.address));
    let token = said.strip_prefix("username=gocred\npassword=").expect("a token").trim_end();
    assert!(token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
    for other in [
        question(format!("127.0.0.2:{port}")),
        question(format!("localhost:{port}")),
        question(format!("127.0.0.1:{}", port ^ 1)),
        question(format!("proxy.test:{port}")),
        format!("protocol=http\nhost={}\nusername=ana\n", daemon.address),
        format!("protocol=http\nhost={}\n", daemon.address),
        format!("protocol=https\nhost={}\nusername=gocred\n", daemon.address),
    ] {
        assert_eq!(desk.get(other.clone()), "", "{other}");
    }
    // The configured place, where this proxy does not listen.
    let output = desk.helper("get", question("127.0.0.1:7407")).output();
    assert!(output.err().contains(&format!("listens on {}; run: ", daemon.address)), "{output:?}");
    assert_eq!(output.success(), "");
}

#[test]
fn what_opens_the_door_is_never_stored_and_never_erased() {
    let Some(desk) = Desk::new() else { return };
    let daemon = start(&desk, &Upstream::echo());
    for place in [daemon.address.to_string(), "127.0.0.1:7407".into(), "[::1]:7407".into()] {
        desk.store(format!("{}password=abc\n", question(&place)));
        desk.erase(format!("{}password=abc\n", question(&place)));
        desk.erase(format!("protocol=http\nhost={place}\n"));
    }
    assert_eq!(desk.held(), [""; 0]);
}

#[test]
fn without_a_running_proxy_one_line_says_so() {
    let Some(desk) = Desk::new() else { return };
    let output = desk.helper("get", question("127.0.0.1:7407")).output();
    assert_eq!((output.out().as_str(), output.err().as_str()), ("", NOT_RUNNING));
    let upstream = Upstream::echo();
    let daemon = start(&desk, &upstream);
    daemon.signal(Signal::STOP);
    let output = desk.helper("get", question("127.0.0.1:7407")).output();
    daemon.signal(Signal::CONT);
    assert!(output.err().starts_with("gocred: the loopback proxy does not answer; run: "));
    assert!(output.took < Duration::from_secs(1), "{:?}", output.took);
    assert_eq!(output.success(), "");
}

#[test]
fn the_helper_says_why_the_way_is_barred() {
    let Some(desk) = Desk::new() else { return };
    let upstream = wall();
    let daemon = start(&desk, &upstream);
    desk.get(question(daemon.address));
    daemon.ask("CONNECT git.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    let output = desk.helper("get", question(daemon.address)).output();
    assert_p01(&output, &upstream);
    assert_eq!(output.err().lines().count(), 1);
    assert!(output.success().starts_with("username=gocred\npassword="));
    let output = desk.helper("erase", question(daemon.address)).output();
    assert_p01(&output, &upstream);
    assert_eq!(output.success(), "");
}

#[test]
fn every_git_shows_what_the_proxy_found() {
    let Some(desk) = Desk::new() else { return };
    let upstream = wall();
    let daemon = start(&desk, &upstream);
    let http_proxy = format!("http.proxy=http://gocred@{}", daemon.address);
    let arguments = ["-c", &http_proxy, "ls-remote", "https://git.test/team/lib.git"];
    for git in gits() {
        let run = || {
            let run = desk.run(&git.program).args(arguments).env("GIT_TERMINAL_PROMPT", "0");
            let output = run.output();
            assert_eq!(output.code, Some(128), "{output:?}");
            output
        };
        // What it has found out itself, and what was known before it came.
        for _ in 0..2 {
            assert_p01(&run(), &upstream);
        }
        let [before, by_git, by_one] = [
            upstream.connections(),
            {
                drop(run());
                upstream.connections()
            },
            {
                daemon.ask("CONNECT git.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
                upstream.connections()
            },
        ];
        assert_eq!(by_git - before, by_one - by_git, "the second CONNECT asks nobody");
    }
    drop(daemon);
    desk.home.write(".config/gocred/config.toml", "");
    let arguments =
        ["-c", "http.proxy=http://gocred@127.0.0.1:7407", "ls-remote", "https://git.test/"];
    for git in gits() {
        let run = desk.run(&git.program).args(arguments).env("GIT_TERMINAL_PROMPT", "0");
        let output = run.output();
        assert!(output.err().starts_with(NOT_RUNNING), "{output:?}");
    }
}

#[test]
fn a_proxy_that_cannot_see_who_asks_is_opened_for_git_and_for_nobody_without_the_token() {
    let Some(desk) = Desk::new() else { return };
    let upstream = Upstream::echo();
    let (proxy, listener) = with_token(&upstream);
    let address = listener.local_addr().expect("an address");
    let (serving, path) = (proxy.clone(), desk.home.runtime().join("gocred/control.sock"));
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let control = Bound::bind(&path).and_then(|bound| bound.answer(None));
            let mut control = control.expect("a control socket");
            let (reloads, _) = tokio::sync::mpsc::channel(1);
            tokio::select! {
                () = serving.serve(vec![listener]) => {}
                () = control.serve(&serving, reloads) => {}
            }
        });
    });
    eventually("it answers", || desk.get(question(address)).contains("password=").then_some(()));
    for git in gits() {
        let run = |login: &str| {
            let http_proxy = format!("http.proxy=http://{login}@{address}");
            let arguments = ["-c", &http_proxy, "ls-remote", "https://git.test/team/lib.git"];
            let run = desk.run(&git.program).args(arguments).env("GIT_TERMINAL_PROMPT", "0");
            let output = run.output();
            assert_eq!(output.code, Some(128), "there is no TLS behind it: {output:?}");
            output
        };
        // That of an earlier start.
        let before = upstream.connections();
        let output = run("gocred:0123456789abcdef");
        assert!(output.err().starts_with("gocred: this proxy cannot see who asks"), "{output:?}");
        assert_eq!(upstream.connections(), before);
        let output = run("gocred");
        assert!(!output.err().contains("gocred"), "{output:?}");
        assert!(upstream.connections() > before, "{output:?}");
    }
    assert_eq!(upstream.logins(), 0);
    proxy.stop();
    server.join().expect("it ends");
}

#[test]
fn a_git_that_was_set_up_clones_through_the_corporate_proxy() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    developer.login(&lab, "GIT", &["git.corp.test"]).success();
    developer.login(&lab, "PROXY", &["--proxy", "http://proxy.corp.test:3128"]).success();
    let daemon = developer.start_proxy();
    developer.gocred(&["setup", "--git", "--proxy", "--yes"]).success();
    let config = std::fs::read_to_string(developer.home.path().join(".gitconfig"));
    assert!(config.expect("git's configuration").contains("proxy = http://gocred@127.0.0.1:"));
    for (number, git) in gits().iter().enumerate() {
        lab.forget();
        let folder = format!("../clone-{number}");
        let clone = ["clone", "--quiet", "https://git.corp.test/team/lib.git", &folder];
        let output = developer.run(&git.program.display().to_string(), &clone, "");
        assert_eq!((output.code, output.err().as_str()), (Some(0), ""), "{output:?}");
        let tunnels = eventually("squid logs the tunnel", || {
            Some(lab.tunnels()).filter(|tunnels| tunnels.iter().any(|one| one.status == 200))
        });
        assert!(tunnels.iter().all(|one| one.target == "git.corp.test:443"), "{tunnels:?}");
    }
    drop(daemon);
    assert_eq!(developer.leaks(&lab), [""; 0]);
}
