//! A credential that a module proxy has rejected: it is not sent there again, by no request and after no
//! restart, until it changes or the user signs in once more.

use std::thread;

use super::{
    goproxy_lab::{Front, body, prepared},
    proxy_lab::{Next, Upstream, basic, status},
    support::{
        home::{GOCRED, Home, Run},
        keyring::Keyring,
    },
};

const LIST: &str = "/a.test/x/@v/list";

/// A module proxy that lets one account in.
fn closed(login: &str) -> Upstream {
    let value = format!("\r\nAuthorization: {}\r\n", basic(login));
    Upstream::start(move |client, head| {
        client.send(if head.contains(&value) {
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nv1.0.0\n"
        } else {
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"m\"\r\nContent-Length: 0\r\n\r\n"
        });
        Next::Again
    })
}

/// A user of that module proxy.
struct Desk<'a> {
    home: Home,
    keyring: &'a Keyring,
    upstream: &'a Upstream,
}

impl Desk<'_> {
    fn run(&self) -> Run {
        self.home.run(GOCRED).env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    fn login(&self, secret: &str) {
        let run = self.run().args(["login", "--allow-http", &self.upstream.url()]);
        let run = run.args(["--username", "ana", "--with-token", "--no-verify"]);
        run.input(format!("{secret}\n")).output().success();
    }

    fn start(&self) -> Front {
        Front::start(&prepared(self.run(), &self.upstream.url()))
    }

    /// How often the module proxy was asked.
    fn asked(&self) -> usize {
        self.upstream.heads().len()
    }
}

/// Asks so often at the same time.
fn at_once(front: &Front, times: usize) -> Vec<String> {
    thread::scope(|scope| {
        let mut asking = Vec::new();
        asking.resize_with(times, || scope.spawn(|| front.get(LIST, "")));
        asking.into_iter().map(|one| one.join().expect("an answer")).collect()
    })
}

fn assert_rejected(answers: &[String]) {
    for answer in answers {
        assert_eq!(status(answer), "403", "{answer}");
        let told = body(answer);
        assert!(told.starts_with("gocred[A15]: ") && told.contains("rejected"), "{answer}");
        assert!(told.contains("run: gocred login "), "{answer}");
    }
}

#[test]
fn a_stale_secret_is_tried_once_whatever_is_restarted_and_a_new_one_once_more() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let upstream = closed("ana:right");
    let desk = Desk { home: Home::new(), keyring: &keyring, upstream: &upstream };
    desk.login("stale");
    for _ in 0..3 {
        let front = desk.start();
        assert_rejected(&at_once(&front, 32));
        assert_eq!(desk.asked(), 1);
    }
    let front = desk.start();
    // Another one that is wrong, too.
    desk.login("wrong");
    assert_rejected(&at_once(&front, 32));
    assert_eq!(desk.asked(), 2);
    drop(front);
    let front = desk.start();
    assert_rejected(&at_once(&front, 32));
    assert_eq!(desk.asked(), 2);
    let memory = desk.home.state().join("gocred/guard-goproxy");
    let memory = std::fs::read_to_string(memory).expect("the memory");
    assert_eq!(memory.lines().count(), 1, "{memory}");
    assert!(!memory.contains("wrong"), "{memory}");
    assert!(!memory.contains(basic("ana:wrong").trim_start_matches("Basic ")), "{memory}");
    desk.login("right");
    for answer in at_once(&front, 32) {
        assert!(answer.ends_with("v1.0.0\n"), "{answer}");
    }
}

/// The server was at fault, say: whoever signs in with the same secret wants it tried.
#[test]
fn a_login_with_the_same_secret_is_one_more_attempt() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let upstream = closed("ana:right");
    let desk = Desk { home: Home::new(), keyring: &keyring, upstream: &upstream };
    desk.login("stale");
    let front = desk.start();
    assert_rejected(&at_once(&front, 4));
    assert_eq!(desk.asked(), 1);
    desk.login("stale");
    // What was known of the store is believed for a second.
    super::support::eventually("one more attempt", || {
        assert_rejected(&at_once(&front, 4));
        (desk.asked() == 2).then_some(())
    });
    drop(front);
    let front = desk.start();
    assert_rejected(&at_once(&front, 4));
    assert_eq!(desk.asked(), 2);
}

/// There is no key to remember it under: no file is written, and the run remembers.
#[test]
fn without_a_keyring_the_run_remembers() {
    let Some(keyring) = Keyring::absent() else { return };
    let upstream = closed("ana:right");
    let desk = Desk { home: Home::new(), keyring: &keyring, upstream: &upstream };
    let source = format!(
        "[source.\"{}\"]\nfrom = \"exec\"\ncommand = [\"/bin/echo\", \"stale\"]\n",
        upstream.address
    );
    desk.home.write(".config/gocred/config.toml", source);
    let front = desk.start();
    assert_rejected(&at_once(&front, 8));
    // Also where everything is read anew.
    desk.run().args(["proxy", "reload"]).output().success();
    assert_rejected(&at_once(&front, 8));
    assert_eq!(desk.asked(), 1);
    assert!(!desk.home.state().join("gocred/guard-goproxy").exists());
}
