//! The login at the upstream: when the secret goes out, to whom, and how often.

use std::thread;

use gocred::core::{
    credential::{Kind, Query},
    origin::Origin,
};

use super::{
    proxy_lab::{CONNECT, Client, Daemon, Next, Upstream, proxy, save, status},
    support::{eventually, home::Home, keyring::Keyring},
};

/// Opens this many tunnels at once and returns what each was told.
fn at_once(daemon: &Daemon, tunnels: usize) -> Vec<String> {
    let mut clients = Vec::new();
    for _ in 0..tunnels {
        let mut client = daemon.client();
        clients.push(thread::spawn(move || {
            client.send(CONNECT);
            client.head().expect("an answer")
        }));
    }
    clients.into_iter().map(|client| client.join().expect("an answer")).collect()
}

/// Waits until a tunnel opens.
fn works(daemon: &Daemon) {
    let opens = || (status(&at_once(daemon, 1).concat()) == "200").then_some(());
    eventually("a tunnel opens", opens);
}

#[test]
fn a_wrong_password_is_sent_once_until_it_changes_also_after_a_restart() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), Upstream::basic("ana:right"));
    save(&keyring, &upstream, "ana:wrong");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    let place = upstream.address;
    let expected = format!(
        "HTTP/1.1 502 gocred[P02]: {place} rejected the password of ana; run: gocred login --proxy http://{place}\r\n"
    );
    for answer in at_once(&daemon, 64) {
        assert!(answer.starts_with(&expected), "{answer}");
    }
    assert_eq!(upstream.logins(), 1);
    // The store is asked once a second for a better one; what it still has stays barred.
    thread::sleep(gocred::core::guard::REREAD);
    assert!(at_once(&daemon, 8).iter().all(|answer| answer.starts_with(&expected)));
    let get = daemon.ask("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(get.starts_with(&expected), "{get}");
    assert_eq!(upstream.logins(), 1);
    drop(daemon);
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    assert!(at_once(&daemon, 64).iter().all(|answer| answer.starts_with(&expected)));
    assert_eq!(upstream.logins(), 1);
    save(&keyring, &upstream, "ana:right");
    works(&daemon);
    assert!(at_once(&daemon, 64).iter().all(|answer| status(answer) == "200"));
    assert_eq!(upstream.logins(), 66);
    let memory = std::fs::read_to_string(home.state().join("gocred/guard")).expect("the guard");
    assert!(!memory.contains("wrong") && memory.lines().count() == 1, "{memory}");
}

#[test]
fn the_secret_goes_out_after_a_challenge_and_then_at_once() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), Upstream::basic("ana:right"));
    save(&keyring, &upstream, "ana:right");
    let mut daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    assert_eq!(status(&at_once(&daemon, 1).concat()), "200");
    assert_eq!((upstream.connections(), upstream.logins()), (2, 1));
    assert_eq!(status(&at_once(&daemon, 1).concat()), "200");
    assert_eq!((upstream.connections(), upstream.logins()), (3, 2));
    // The client's own login is replaced, not added to.
    let mut client = daemon.client();
    client.send(
        "GET http://h/ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic eDp5\r\nConnection: close\r\n\r\n",
    );
    assert!(client.until_end().ends_with("\r\n\r\nok"));
    let heads = upstream.heads();
    let last = heads.last().expect("a request");
    assert_eq!(last.matches("Proxy-Authorization").count(), 1, "{last}");
    assert!(!last.contains("eDp5"), "{last}");
    // Nothing of it is where other programs look.
    for file in ["cmdline", "environ"] {
        let text = std::fs::read(format!("/proc/{}/{file}", daemon.child.id())).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains("right"), "{file}");
    }
    daemon.signal(rustix::process::Signal::TERM);
    daemon.child.wait().expect("it ends");
}

/// Somebody on the way leaves Negotiate in the offer, and does not do it: only the password is left.
#[test]
fn the_word_negotiate_is_no_way_around_what_was_offered_before() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let answer = |client: &mut Client, head: &str, beside: &str| {
        let is_negotiated = head.contains("Proxy-Authorization: Negotiate ");
        let offer = if is_negotiated { "Negotiate" } else { beside };
        let offer = format!("Proxy-Authenticate: {offer}\r\nContent-Length: 0\r\n");
        client.send(format!("HTTP/1.1 407 x\r\n{offer}\r\n"));
        Next::Again
    };
    let in_clear = |head: &&String| {
        head.contains("Proxy-Authorization: Basic") || head.contains("Proxy-Authorization: Bearer")
    };
    for (before, beside, sends) in [
        ("NTLM", "Negotiate, Basic realm=\"x\"", false),
        ("Digest", "Negotiate, Basic realm=\"x\"", false),
        ("NTLM", "Negotiate, Bearer", false),
        ("Negotiate NTLM", "Negotiate, Basic realm=\"x\"", false),
        // It has always been so.
        ("Negotiate Basic", "Negotiate, Basic realm=\"x\"", true),
        ("", "Negotiate, Basic realm=\"x\"", true),
    ] {
        let home = Home::new();
        let hostile = Upstream::start(move |client, head| answer(client, head, beside));
        if !before.is_empty() {
            let known = format!("v1 {} {before}\n", hostile.url());
            home.write(".local/state/gocred/strongest", known);
        }
        save(&keyring, &hostile, "ana:right");
        let run = proxy(&home, &[hostile.url()]);
        let run = run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        let daemon = Daemon::start(&run.env("KRB5CCNAME", "FILE:/nonexistent/cache"));
        let code = if sends { "P02" } else { "P40" };
        for _ in 0..3 {
            let said = at_once(&daemon, 1).concat();
            assert!(said.starts_with(&format!("HTTP/1.1 502 gocred[{code}]: ")), "{said}");
        }
        let heads = hostile.heads();
        assert_eq!(
            heads.iter().filter(in_clear).count(),
            usize::from(sends),
            "{before}: {heads:?}"
        );
    }
}

#[test]
fn nobody_but_the_configured_upstream_gets_the_secret() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), Upstream::basic("ana:right"));
    let other = Upstream::basic("ana:right");
    save(&keyring, &upstream, "ana:right");
    save(&keyring, &other, "ana:right");
    home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\nallow = [\"127.0.0.0/8\"]\nno_proxy = \"{}\"\n", other.address),
    );
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    assert_eq!(status(&at_once(&daemon, 1).concat()), "200");
    // A 407 on the direct way is answered with nothing.
    let direct = daemon.ask(format!("GET {}/ HTTP/1.1\r\nHost: x\r\n\r\n", other.url()));
    assert_eq!(status(&direct), "502", "{direct}");
    assert_eq!((other.connections(), other.logins()), (1, 0));
    // Basic never follows an offer of stronger schemes only.
    let (home, turn) = (Home::new(), std::sync::atomic::AtomicUsize::new(0));
    let strong = Upstream::start(move |client, _| {
        let first = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let offer = if first { "Negotiate, NTLM" } else { "Basic realm=\"x\"" };
        let offer = format!("Proxy-Authenticate: {offer}\r\nContent-Length: 0\r\n");
        client.send(format!("HTTP/1.1 407 x\r\n{offer}\r\n"));
        Next::Close
    });
    save(&keyring, &strong, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &strong);
    for _ in 0..3 {
        assert!(at_once(&daemon, 1).concat().starts_with("HTTP/1.1 502 gocred[P40]: "));
    }
    let in_clear = |head: &String| head.contains("Proxy-Authorization: Basic");
    assert!(!strong.heads().iter().any(in_clear), "{:?}", strong.heads());
    // Not after a restart either.
    drop(daemon);
    let daemon = Daemon::with_keyring(&home, &keyring, &strong);
    assert!(at_once(&daemon, 1).concat().starts_with("HTTP/1.1 502 gocred[P40]: "));
    assert!(!strong.heads().iter().any(in_clear), "{:?}", strong.heads());
    // Nothing follows a 407 that asks for nothing.
    let (home, mute) = (Home::new(), Upstream::saying("HTTP/1.1 407 x\r\n\r\n"));
    save(&keyring, &mute, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &mute);
    assert!(at_once(&daemon, 1).concat().starts_with("HTTP/1.1 502 gocred[P07]: "));
    assert_eq!(mute.logins(), 0, "{:?}", mute.heads());
}

#[test]
fn an_upload_waits_for_the_challenge_and_is_sent_once() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let home = Home::new();
    let upstream = Upstream::start(|client, head| {
        if !head.contains("Proxy-Authorization") {
            client.send("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
            return Next::Close;
        }
        assert_eq!(client.exactly(5), "hello");
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Next::Again
    });
    save(&keyring, &upstream, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    for _ in 0..2 {
        let answer = daemon.ask(
            "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        );
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    assert_eq!((upstream.connections(), upstream.logins()), (3, 2));
}

#[test]
fn locked_missing_and_absent_are_told_apart() {
    let upstream = Upstream::basic("ana:right");
    for (keyring, code, words) in [
        (Keyring::unlocked(), "P01", "none is stored"),
        (Keyring::locked(), "K05", "locked"),
        (Keyring::absent(), "K06", "keyring service"),
    ] {
        let Some(keyring) = keyring else { return };
        let home = Home::new();
        let answer = at_once(&Daemon::with_keyring(&home, &keyring, &upstream), 1).concat();
        assert!(answer.starts_with(&format!("HTTP/1.1 502 gocred[{code}]: ")), "{answer}");
        assert!(answer.contains(words), "{answer}");
    }
    assert_eq!(upstream.logins(), 0);
}

#[test]
fn a_password_that_changed_in_the_keyring_costs_no_failed_login_of_the_new_one() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), Upstream::basic("ana:right"));
    save(&keyring, &upstream, "ana:wrong");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    assert_eq!(status(&at_once(&daemon, 1).concat()), "502");
    let origin = Origin::from_url(&upstream.url()).expect("a URL").0;
    let mut store = keyring.open();
    let entries = store.list(&Query::origin(Kind::Proxy, origin)).expect("listed");
    assert_eq!(entries.len(), 1);
    save(&keyring, &upstream, "ana:right");
    works(&daemon);
    assert_eq!(upstream.logins(), 2);
    let report = home.gocred().args(["proxy", "status", "--json"]).output().success();
    assert!(report.contains("\"login\": \"accepted\""), "{report}");
    assert!(!report.contains("wrong") && !report.contains("right"), "{report}");
}

/// A proxy that opens every tunnel, and waits for the targets of all else as long as the client does.
fn with_slow_pages() -> Upstream {
    Upstream::start(|client, head| {
        if !head.contains("Proxy-Authorization") {
            client.send(
                "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"r\"\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n",
            );
        } else if head.starts_with("CONNECT ") {
            client.send("HTTP/1.1 200 ok\r\n\r\n");
        } else {
            client.until_end();
        }
        Next::Close
    })
}

#[test]
fn a_request_that_takes_long_keeps_a_password_that_was_accepted_from_nobody_else() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), with_slow_pages());
    save(&keyring, &upstream, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    assert_eq!(status(&at_once(&daemon, 1).concat()), "200");
    // It is not shared any more: the next use is tried alone.
    thread::sleep(gocred::core::guard::SHARE);
    let mut slow = daemon.client();
    slow.send("GET http://slow.test/ HTTP/1.1\r\nHost: slow.test\r\n\r\n");
    eventually("it tries the password", || (upstream.logins() == 2).then_some(()));
    for answer in at_once(&daemon, 8) {
        assert_eq!(status(&answer), "200", "{answer}");
    }
    drop(slow);
}

#[test]
fn a_new_password_is_tried_by_one_at_a_time_and_no_target_keeps_it_for_good() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), with_slow_pages());
    save(&keyring, &upstream, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    let mut slow = daemon.client();
    slow.send("GET http://slow.test/ HTTP/1.1\r\nHost: slow.test\r\n\r\n");
    eventually("it tries the password", || (upstream.logins() == 1).then_some(()));
    let begun = std::time::Instant::now();
    for answer in at_once(&daemon, 8) {
        assert_eq!(status(&answer), "200", "{answer}");
    }
    assert!(begun.elapsed() + std::time::Duration::from_secs(2) > gocred::core::guard::UNJUDGED);
    drop(slow);
}

#[test]
fn a_proxy_that_calls_itself_otherwise_each_time_gets_a_wrong_password_once() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, node) = (Home::new(), std::sync::atomic::AtomicUsize::new(0));
    let upstream = Upstream::start(move |client, _| {
        let node = node.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        client.send(format!(
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"node {node}\"\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        Next::Close
    });
    save(&keyring, &upstream, "ana:wrong");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    for _ in 0..3 {
        for answer in at_once(&daemon, 8) {
            assert!(answer.contains("[P02]"), "{answer}");
        }
        thread::sleep(gocred::core::guard::REREAD);
    }
    assert_eq!(upstream.logins(), 1);
}

#[test]
fn a_keyring_that_freezes_or_locks_is_told_in_time_and_used_again_afterwards() {
    let Some(mut keyring) = Keyring::unlocked() else { return };
    let (home, upstream) = (Home::new(), Upstream::basic("ana:right"));
    save(&keyring, &upstream, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    for (code, words) in [("K07", "did not answer"), ("K05", "is locked")] {
        if code == "K07" {
            keyring.freeze();
        } else {
            keyring.lock();
        }
        let home = Home::new();
        let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
        let begun = std::time::Instant::now();
        for answer in at_once(&daemon, 16) {
            let expected = format!("HTTP/1.1 502 gocred[{code}]: ");
            assert!(answer.starts_with(&expected) && answer.contains(words), "{answer}");
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
        if code == "K07" {
            keyring.thaw();
        } else {
            keyring.start();
        }
        works(&daemon);
    }
    works(&daemon);
    // A password that is trusted outlives the keyring it came from.
    keyring.kill();
    assert!(at_once(&daemon, 4).iter().all(|answer| status(answer) == "200"));
}
