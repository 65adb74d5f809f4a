//! What comes early, late, or broken off: the answer of one request is not that of another, and the
//! upstream that is asked second does not speak for the first.

use std::{
    io::{ErrorKind, Read},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

use super::{
    proxy_lab::{CONNECT, Client, GET, Next, Upstream, echo, status},
    proxy_within::{Within, proof, proofs},
    support::eventually,
};

const KEPT: &str = "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n";
const ASKS: &str = "HTTP/1.1 407 log in\r\nProxy-Authenticate: Basic realm=\"r\"\r\n\
                    Content-Length: 0\r\n\r\n";
/// Longer than an upstream is waited for before another one is asked, too.
const SLOW: Duration = Duration::from_millis(700);

#[test]
fn an_answer_that_never_ends_keeps_nobody_from_logging_in() {
    let upstream = Upstream::start(|client, head| {
        if proof(head).is_none() {
            client.send(ASKS);
        } else if head.starts_with("GET http://evil.test/") {
            client.send("HTTP/1.1 500 wait\r\nContent-Length: 100\r\n\r\n.");
            client.until_end();
            return Next::Close;
        } else {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
        Next::Again
    });
    let proxy = Within::through(&upstream.url());
    let mut caught = Client::to(proxy.address);
    caught.send("GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    assert_eq!(status(&caught.head().expect("an answer")), "500");
    let told = proxy.ask(GET);
    assert!(told.ends_with("\r\n\r\nok"), "{told}");
}

/// A proxy that opens tunnels, in its own time.
fn slow() -> Upstream {
    Upstream::start(|client, _| {
        thread::sleep(SLOW);
        client.send("HTTP/1.1 200 ok\r\n\r\n");
        echo(client);
        Next::Close
    })
}

#[test]
fn a_refusal_of_the_second_upstream_does_not_end_what_the_first_is_about_to_open() {
    let (first, second) =
        (slow(), Upstream::saying("HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n"));
    let proxy = Within::through_all(&[&first.url(), &second.url()]);
    let told = proxy.ask(CONNECT);
    assert_eq!(status(&told), "200", "{told}");
    assert_eq!(second.connections(), 1);
}

#[test]
fn a_refusal_of_the_second_upstream_counts_when_the_first_is_out_of_order() {
    let first = Upstream::start(|_, _| {
        thread::sleep(SLOW);
        Next::Close
    });
    let second = Upstream::saying("HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n");
    let proxy = Within::through_all(&[&first.url(), &second.url()]);
    let told = proxy.ask(CONNECT);
    assert!(told.contains(&second.address.to_string()), "{told}");
}

#[test]
fn a_slow_verdict_on_a_password_is_heard_whatever_the_second_upstream_says() {
    let first = Upstream::start(|client, head| {
        if proof(head).is_some() {
            thread::sleep(SLOW);
        }
        client.send(ASKS);
        Next::Again
    });
    let second = Upstream::saying("HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n");
    let proxy = Within::through_all(&[&first.url(), &second.url()]);
    let _ = proxy.ask(CONNECT);
    eventually("the rejection is known", || (proxy.vault.rejections() == 1).then_some(()));
    for _ in 0..4 {
        let _ = proxy.ask(CONNECT);
    }
    assert_eq!(proofs(&first.heads()).len(), 1);
}

/// Two ends that wait for each other: what one sent has arrived when the other goes on.
fn meeting() -> (Sender<()>, Mutex<Receiver<()>>) {
    let (sender, receiver) = channel();
    (sender, Mutex::new(receiver))
}

fn wait(receiver: &Mutex<Receiver<()>>) {
    receiver.lock().expect("one waits").recv().expect("the other end");
}

#[test]
fn last_words_on_a_kept_connection_answer_no_request() {
    let ((go, may_go), (gone, is_gone)) = (meeting(), meeting());
    let upstream = Upstream::start(move |client, head| {
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if head.contains("/last") {
            return Next::Close;
        }
        wait(&may_go);
        client.send("HTTP/1.1 408 too late\r\nContent-Length: 0\r\n\r\n");
        gone.send(()).expect("the test waits");
        client.until_end();
        Next::Close
    });
    let proxy = Within::through(&upstream.url());
    let mut client = Client::to(proxy.address);
    client.send(KEPT);
    assert_eq!(status(&client.head().expect("an answer")), "200");
    assert_eq!(client.exactly(2), "ok");
    go.send(()).expect("the upstream waits");
    wait(&is_gone);
    client.send(KEPT.replace("h.test/ ", "h.test/last "));
    assert_eq!(status(&client.head().expect("an answer")), "200");
}

#[test]
fn an_answer_that_breaks_off_without_a_length_does_not_look_whole() {
    let upstream = Upstream::start(|client, _| {
        client.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf");
        set_socket_linger(client.stream(), Some(Duration::ZERO)).expect("a reset");
        Next::Close
    });
    let proxy = Within::through(&upstream.url());
    let mut client = Client::to(proxy.address);
    client.send(GET);
    let mut block = [0; 4096];
    let end = loop {
        match client.stream().read(&mut block) {
            Ok(1..) => {}
            end => break end.map_err(|error| error.kind()),
        }
    };
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
}
