//! Logins that a proxy keeps with their connections: made one at a time, made anew where they have
//! expired, and not to blame for a target that is forbidden.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    proxy_guard::offers,
    proxy_lab::{CONNECT, Client, GET, Next, Upstream, echo, status},
    proxy_within::{Within, proof},
    support::eventually,
};

/// What nobody may ask for.
const FORBIDDEN: &str = "CONNECT forbidden.test:443 HTTP/1.1\r\nHost: h\r\n\r\n";

/// A proxy that keeps a login by NTLM with the connection until the era ends, and is this far away.
fn keeps_login(round_trip: Duration, era: &Arc<AtomicUsize>) -> Upstream {
    let [.., (offer, Some(type_2)), _] = offers() else { unreachable!() };
    let era = Arc::clone(era);
    Upstream::start(move |client, head| {
        let (mut head, mut since) = (head.to_owned(), None);
        loop {
            thread::sleep(round_trip);
            let now = era.load(Ordering::Acquire);
            if proof(&head).is_some() {
                since = Some(now);
            }
            let begins = head.contains("Proxy-Authorization: ");
            if since != Some(now) || head.starts_with("CONNECT forbidden.test") {
                let offer = if begins { type_2 } else { offer };
                client.send(format!(
                    "HTTP/1.1 407 no\r\nProxy-Authenticate: {offer}\r\nContent-Length: 0\r\n\r\n"
                ));
            } else if head.starts_with("CONNECT ") {
                client.send("HTTP/1.1 200 OK\r\n\r\n");
                echo(client);
                return Next::Close;
            } else {
                client.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
            let Some(next) = client.head() else { return Next::Close };
            head = next;
        }
    })
}

/// Lets it find out that the login is kept.
fn finds_out(proxy: &Within) {
    for _ in 0..2 {
        assert_eq!(status(&proxy.ask(CONNECT)), "200");
    }
    eventually("there is a spare connection", || {
        proxy.proxy.report().upstreams.iter().any(|upstream| upstream.spare > 0).then_some(())
    });
    // And that it is kept for tunnels.
    assert_eq!(status(&proxy.ask(CONNECT)), "200");
}

#[test]
fn a_target_that_is_answered_like_a_wrong_login_bars_no_login_that_is_kept() {
    let upstream = keeps_login(Duration::ZERO, &Arc::default());
    let proxy = Within::through(&upstream.url());
    finds_out(&proxy);
    for _ in 0..3 {
        let told = proxy.ask(FORBIDDEN);
        assert!(told.starts_with("HTTP/1.1 403 gocred[P10]: "), "{told}");
        assert_eq!(status(&proxy.ask(CONNECT)), "200");
        assert_eq!(status(&proxy.ask(GET)), "200");
    }
    assert_eq!(proxy.vault.rejections(), 0);
}

#[test]
fn logins_that_expire_with_their_connections_are_made_anew() {
    let era = Arc::default();
    let upstream = keeps_login(Duration::ZERO, &era);
    let proxy = Within::through(&upstream.url());
    finds_out(&proxy);
    let mut kept = Client::to(proxy.address);
    let on_kept = "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n";
    for _ in 0..3 {
        era.fetch_add(1, Ordering::AcqRel);
        // A spare connection, and one that is kept for its client.
        assert_eq!(status(&proxy.ask(CONNECT)), "200");
        assert_eq!(status(&proxy.ask(GET)), "200");
        kept.send(on_kept);
        assert_eq!(status(&kept.head().expect("an answer")), "200");
        era.fetch_add(1, Ordering::AcqRel);
        kept.send(on_kept);
        assert_eq!(status(&kept.head().expect("an answer")), "200");
        assert_eq!(status(&proxy.ask(GET)), "200");
        finds_out(&proxy);
    }
    assert_eq!(proxy.vault.rejections(), 0);
}

#[test]
fn a_hundred_cold_tunnels_through_a_proxy_that_is_far_away_wait_for_each_other_only_at_first() {
    let upstream = keeps_login(Duration::from_millis(150), &Arc::default());
    let proxy = Within::through(&upstream.url());
    finds_out(&proxy);
    let begun = Instant::now();
    let ask = |_| {
        let address = proxy.address;
        thread::spawn(move || {
            let mut client = Client::to(address);
            client.send(CONNECT);
            client.head().expect("an answer")
        })
    };
    let clients: Vec<_> = (0..100).map(ask).collect();
    for client in clients {
        let told = client.join().expect("an answer");
        assert_eq!(status(&told), "200", "{told}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
