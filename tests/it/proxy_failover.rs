//! Requests that are not CONNECT, and an upstream that accepts and says nothing: they go to the next
//! one, where they may be sent again, and a slow target is no silent upstream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    proxy_lab::{Client, GET, Next, Upstream, status},
    proxy_within::Within,
    support::{eventually, quickest},
};

const POST: &str = "POST http://h.test/ HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\
                    Content-Length: 2\r\n\r\nhi";

/// A proxy that accepts and says nothing, until it works.
fn silent_until(works: &Arc<AtomicBool>) -> Upstream {
    let works = Arc::clone(works);
    Upstream::start(move |client, _| {
        if !works.load(Ordering::Acquire) {
            client.until_end();
            return Next::Close;
        }
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
        Next::Again
    })
}

#[test]
fn a_silent_upstream_costs_a_plain_request_300_ms_once() {
    let (mut first, mut later) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let (silent, good) = (silent_until(&Arc::default()), Upstream::echo());
        let proxy = Within::through_all(&[&silent.url(), &good.url()]);
        let start = Instant::now();
        let told = proxy.ask(GET);
        first = first.min(start.elapsed());
        assert!(told.ends_with("\r\n\r\nok"), "{told}");
        let connections = silent.connections();
        let (told, took) = quickest(|| proxy.ask(GET));
        assert_eq!(status(&told), "200", "{told}");
        later = later.min(took);
        assert_eq!(silent.connections(), connections);
    }
    assert!(first < Duration::from_millis(300), "{first:?}");
    assert!(later < Duration::from_millis(5), "{later:?}");
}

#[test]
fn sixty_four_at_once_do_not_wait_for_a_silent_upstream_one_by_one() {
    let (silent, good) = (silent_until(&Arc::default()), Upstream::echo());
    let proxy = Within::through_all(&[&silent.url(), &good.url()]);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| assert!(proxy.ask(GET).ends_with("\r\n\r\nok")));
        }
    });
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    // One of them asked whether it answers at all.
    let asked = silent.heads().iter().filter(|head| head.starts_with("HEAD ")).count();
    assert_eq!(asked, 1);
}

#[test]
fn a_kept_connection_that_falls_silent_is_left_for_the_next_upstream() {
    let works = Arc::new(AtomicBool::new(true));
    let (silent, good) = (silent_until(&works), Upstream::echo());
    let proxy = Within::through_all(&[&silent.url(), &good.url()]);
    let mut client = Client::to(proxy.address);
    client.send("GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n");
    assert_eq!(status(&client.head().expect("an answer")), "200");
    assert_eq!(client.exactly(5), "first");
    works.store(false, Ordering::Release);
    let start = Instant::now();
    client.send(GET);
    let _ = client.head().expect("an answer");
    // What it has said to others a moment ago is believed for a second.
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(good.connections() > 0);
}

#[test]
fn a_slow_target_is_waited_for() {
    for pause in [100, 700, 2_500] {
        let slow = Upstream::start(move |client, head| {
            if head.starts_with("GET ") {
                thread::sleep(Duration::from_millis(pause));
                client.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
            } else {
                client.send("HTTP/1.1 400 no page here\r\nContent-Length: 0\r\n\r\n");
            }
            Next::Again
        });
        let other = Upstream::echo();
        let proxy = Within::through_all(&[&slow.url(), &other.url()]);
        for _ in 0..2 {
            assert!(proxy.ask(GET).ends_with("\r\n\r\nslow"), "{pause}");
        }
        assert_eq!(other.connections(), 0, "{pause}");
        let gets = slow.heads().iter().filter(|head| head.starts_with("GET ")).count();
        assert_eq!(gets, 2, "{pause}");
    }
}

#[test]
fn only_what_may_be_sent_again_goes_to_the_next_upstream() {
    for (request, is_safe) in [(GET, true), (POST, false)] {
        let closes = Upstream::start(|_, _| Next::Close);
        let good = Upstream::echo();
        let proxy = Within::through_all(&[&closes.url(), &good.url()]);
        let told = proxy.ask(request);
        assert_eq!(status(&told), if is_safe { "200" } else { "502" }, "{told}");
        assert_eq!(good.connections(), usize::from(is_safe), "{request}");
        // A connection that was refused has taken nothing.
        let proxy = Within::through_all(&["http://127.0.0.1:1", &good.url()]);
        assert_eq!(status(&proxy.ask(request)), "200", "{request}");
    }
}

#[test]
fn an_upstream_that_answers_again_is_used_again_for_plain_requests() {
    let works = Arc::default();
    let (silent, good) = (silent_until(&works), Upstream::echo());
    let proxy = Within::through_all(&[&silent.url(), &good.url()]);
    assert!(proxy.ask(GET).ends_with("\r\n\r\nok"));
    works.store(true, Ordering::Release);
    eventually("the first one is used again", || {
        proxy.ask(GET).ends_with("\r\n\r\nfirst").then_some(())
    });
}
