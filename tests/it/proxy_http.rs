//! Requests through the proxy: what is refused, what reaches the upstream, and what comes back.

use super::{
    proxy_lab::{Daemon, Next, Upstream, proxy, status},
    support::home::Home,
};

/// Sends each message to a proxy in front of a recording upstream, and expects a refusal that closes
/// the connection and lets nothing through.
fn refused(messages: &[(&str, &str)]) {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = Daemon::through(&home, &[&upstream]);
    for (expected, message) in messages {
        let answer = daemon.ask(message);
        assert_eq!(status(&answer), *expected, "{message:?}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{answer}");
        assert!(!answer.contains('<'), "{answer}");
    }
    assert_eq!(upstream.connections(), 0);
    let answer = daemon.ask("GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&answer), "200", "{answer}");
}

#[test]
fn what_two_parsers_could_read_differently_reaches_nobody() {
    let messages: Vec<String> = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "X: a\rb\r\n",
        "X: a\nY: b\r\n",
        "X: a\0b\r\n",
        "X: a\r\n b\r\n",
        "X : a\r\n",
        "Host: other\r\n",
    ]
    .iter()
    .map(|fields| format!("POST http://h/ HTTP/1.1\r\nHost: h\r\n{fields}\r\n0\r\n\r\n"))
    .collect();
    refused(&messages.iter().map(|message| ("400", message.as_str())).collect::<Vec<_>>());
}

#[test]
fn only_a_proxy_is_served() {
    refused(&[
        ("421", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        ("421", "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
        ("421", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "GET http://user:pw@h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "GET http://h/ HTTP/1.1\r\n\r\n"),
        ("400", "TRACE http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("505", "GET http://h/ HTTP/2.0\r\nHost: h\r\n\r\n"),
        ("400", "\x16\x03\x01\x02\x00\x01\x00"),
        ("400", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ]);
}

#[test]
fn a_head_has_its_limits() {
    let line = format!("GET http://h/ HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(17_000));
    let fields = format!("GET http://h/ HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(101));
    let wide = format!("X: {}\r\n", "y".repeat(16_000)).repeat(5);
    let head = format!("GET http://h/ HTTP/1.1\r\n{wide}\r\n");
    refused(&[("431", &line), ("431", &fields), ("431", &head)]);
}

#[test]
fn what_concerns_one_hop_stays_on_it() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Up\r\nX-Up: 1\r\n\
         Proxy-Authenticate: Basic realm=\"x\"\r\nKeep-Alive: 5\r\nX-Stays: 1\r\n\r\nok",
    );
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let answer = daemon.ask(
        "GET http://H.test:80/a?b HTTP/1.1\r\nHost: other\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\n\
         Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
         Upgrade: h2c\r\nKeep-Alive: 5\r\nX-Stays: 1\r\n\r\n",
    );
    let heads = upstream.heads();
    let head = heads.first().expect("a request");
    assert!(head.starts_with("GET http://h.test/a?b HTTP/1.1\r\nHost: h.test\r\n"), "{head}");
    for gone in ["X-Drop", "Proxy-", "TE:", "Upgrade", "Keep-Alive", "Connection", "other"] {
        assert!(!head.contains(gone), "{gone}: {head}");
    }
    assert!(head.contains("\r\nX-Stays: 1\r\nVia: 1.1 gocred-"), "{head}");
    for gone in ["X-Up", "Proxy-Authenticate", "Keep-Alive"] {
        assert!(!answer.contains(gone), "{gone}: {answer}");
    }
    assert!(answer.contains("\r\nX-Stays: 1\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[test]
fn requests_that_come_at_once_are_answered_in_order_on_one_connection() {
    let upstream = Upstream::start(|client, head| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        client.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
        Next::Again
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let get = |path: &str| format!("GET http://h/{path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut client = daemon.client();
    client.send([get("1"), get("2"), get("3")].concat());
    for path in ["http://h/1", "http://h/2", "http://h/3"] {
        assert!(client.until(path).contains("HTTP/1.1 200 OK"));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_chunked_upload_passes_with_its_trailers_after_100_continue() {
    let upstream = Upstream::start(|client, _| {
        client.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = client.until("0\r\nX-Sum: 1\r\n\r\n");
        client.send(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ));
        Next::Again
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let mut client = daemon.client();
    client.send(
        "POST http://h/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTrailer: X-Sum\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(client.head().as_deref(), Some("HTTP/1.1 100 Continue\r\n\r\n"));
    client.send("3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 1\r\n\r\n");
    let answer = client.until_end();
    assert!(answer.contains("3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 1\r\n\r\n"), "{answer}");
    assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[test]
fn a_malformed_body_ends_the_exchange_with_a_400() {
    let upstream = Upstream::start(|client, _| {
        client.until_end();
        Next::Close
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let answer = daemon.ask(
        "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n",
    );
    assert_eq!(status(&answer), "400", "{answer}");
}

#[test]
fn an_old_client_gets_no_chunks() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n",
    );
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let answer = daemon.ask("GET http://h/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("chunked") && head.contains("Connection: close"), "{head}");
    assert_eq!(body, "ok");
}

#[test]
fn head_and_304_have_no_body_and_the_connection_goes_on() {
    let upstream = Upstream::start(|client, head| {
        let line = if head.starts_with("HEAD") { "200 OK" } else { "304 Not Modified" };
        client.send(format!("HTTP/1.1 {line}\r\nContent-Length: 7\r\n\r\n"));
        Next::Again
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let mut client = daemon.client();
    for method in ["HEAD", "GET", "HEAD"] {
        client.send(format!("{method} http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"));
        let head = client.head().expect("a head");
        assert!(head.contains("\r\nContent-Length: 7\r\n"), "{head}");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_websocket_becomes_a_tunnel() {
    let upstream = Upstream::start(|client, head| {
        assert!(head.contains("\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"), "{head}");
        client.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly",
        );
        super::proxy_lab::echo(client);
        Next::Close
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let mut client = daemon.client();
    client.send(
        "GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst",
    );
    let head = client.head().expect("a head");
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("Upgrade: websocket"), "{head}");
    assert_eq!(client.exactly(10), "earlyfirst");
    client.half_close();
    assert_eq!(client.until_end(), "");
}

#[test]
fn an_origin_may_ask_for_a_login_and_a_proxy_that_does_is_explained() {
    let origin = Upstream::saying(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"o\"\r\nContent-Length: 0\r\n\r\n",
    );
    let odd = Upstream::saying(
        "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    );
    let home = Home::new();
    let daemon = Daemon::through(&home, &[]);
    let get = |server: &Upstream| {
        daemon
            .ask(format!("GET {}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", server.url()))
    };
    assert_eq!(status(&get(&origin)), "401");
    assert_eq!(status(&get(&odd)), "502");
    assert_eq!((odd.logins(), origin.logins()), (0, 0));
    assert!(
        origin.heads().iter().all(|head| head.starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"))
    );
}

#[test]
fn a_kept_connection_that_has_gone_stale_is_replaced() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let mut client = daemon.client();
    for _ in 0..3 {
        client.send("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(client.until("\r\n\r\nok").starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(upstream.heads().len(), 3);
}

#[test]
fn a_broken_answer_is_a_502_in_plain_text() {
    for answer in [
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        "HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n",
        "<html>",
        "",
    ] {
        let (home, upstream) = (Home::new(), Upstream::saying(answer));
        let daemon = Daemon::through(&home, &[&upstream]);
        let told = daemon.ask("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(told.starts_with("HTTP/1.1 502 gocred"), "{answer:?}: {told}");
        assert!(told.contains("\r\nProxy-Status: gocred; error="), "{told}");
    }
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = Daemon::through(&home, &[&upstream]);
    daemon.ask("GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let heads = upstream.heads();
    let via =
        heads.first().and_then(|head| head.split("\r\n").find(|line| line.starts_with("Via:")));
    let via = via.expect("a Via field");
    for start in ["GET http://h/ HTTP/1.1", "CONNECT h:443 HTTP/1.1"] {
        let answer = daemon.ask(format!("{start}\r\nHost: h\r\n{via}, 1.1 other\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 508 gocred[K11]: "), "{answer}");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_storm_of_interim_answers_ends() {
    let target = Upstream::start(|client, _| {
        for _ in 0..10_000 {
            client.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        client.until_end();
        Next::Close
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[]);
    let told = daemon.ask(format!("GET {}/ HTTP/1.1\r\nHost: x\r\n\r\n", target.url()));
    assert_eq!(status(&told), "502", "{told}");
    assert!(told.contains("more than 100 interim answers"), "{told}");
}

#[test]
fn a_length_that_connection_names_is_not_taken_from_its_body() {
    let target = Upstream::start(|client, head| {
        if head.starts_with("POST ") && head.contains("\r\nContent-Length: 33\r\n") {
            client.exactly(33);
        }
        client.send("HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nok");
        Next::Again
    });
    let home = Home::new();
    for (through, upstream) in [(vec![], "direct"), (vec![&target], "through an upstream")] {
        let daemon = Daemon::through(&home, &through);
        let mut client = daemon.client();
        // The body is a request: without its length it would be served as one.
        client.send(format!(
            "POST {}/ HTTP/1.1\r\nHost: x\r\nConnection: Content-Length\r\nContent-Length: 33\r\n\r\n\
             GET /smuggled HTTP/1.1\r\nHost: x\r\n",
            target.url()
        ));
        let head = client.head().expect("an answer");
        assert!(head.contains("\r\nContent-Length: 2\r\n"), "{upstream}: {head}");
        assert_eq!(client.exactly(2), "ok");
        client.send(format!(
            "GET {}/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            target.url()
        ));
        assert!(client.until_end().ends_with("\r\n\r\nok"));
    }
    assert!(!target.heads().iter().any(|head| head.contains("smuggled")), "{:?}", target.heads());
}

#[test]
fn a_terminal_that_takes_no_more_stops_nobody() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let (unread, full) = std::io::pipe().expect("a pipe");
    let daemon = Daemon::telling(&proxy(&home, &[upstream.url()]), full);
    for _ in 0..1000 {
        // Each differs from the one before, so each is a line: more than a pipe holds.
        assert_eq!(status(&daemon.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n")), "421");
        let told = daemon.ask("CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(status(&told), "403");
    }
    drop(unread);
}

#[test]
fn a_proxy_that_does_not_answer_a_plain_request_is_named() {
    for answer in
        ["", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 ok\r\nContent-Length: x\r\n\r\n"]
    {
        let (home, upstream) = (Home::new(), Upstream::saying(answer));
        let daemon = Daemon::through(&home, &[&upstream]);
        let told = daemon.ask("GET http://h.test/ HTTP/1.1\r\nHost: h\r\n\r\n");
        let (first, _) = told.split_once("\r\n").expect("a line");
        let named = format!("the proxy {} for h.test:80", upstream.address);
        assert!(status(&told) == "502" && first.contains(&named), "{told}");
    }
}
