//! What a client and a person are told when something goes wrong: in the reason phrase, in
//! `Proxy-Status`, in the body, and in the report.

use std::{
    io::Read,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rustix::net::sockopt::set_socket_linger;

use super::{
    proxy_lab::{CONNECT, Daemon, GET, Next, Upstream, report, save, status},
    proxy_within::Within,
    support::{
        eventually,
        home::{Home, Output},
        keyring::Keyring,
        program,
    },
};

/// Asks for a tunnel through an upstream, and returns what is said.
fn told(upstream: &Upstream) -> String {
    let home = Home::new();
    Daemon::through(&home, &[upstream]).ask(CONNECT)
}

/// Checks what every refusal has; returns its head and body.
fn parts(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("\r\nProxy-Status: gocred; error="), "{answer}");
    assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{answer}");
    assert!((1..=8).contains(&body.lines().count()), "{answer}");
    let reason = head.lines().next().and_then(|line| line.splitn(3, ' ').nth(2));
    assert!(reason.is_some_and(|reason| reason.starts_with("gocred")), "{answer}");
    assert!(
        !answer.replace("\r\n", "").replace('\n', "").chars().any(char::is_control),
        "{answer}"
    );
    (head, body)
}

#[test]
fn a_refusal_says_who_refused_and_when_to_try_again() {
    for (status_line, fields, code, passed_on) in [
        ("503 busy", "Retry-After: 30\r\n", "P14", "Retry-After: 30"),
        (
            "503 busy",
            "Retry-After: Sun, 06 Nov 2994 08:49:37 GMT\r\n",
            "P14",
            "Retry-After: Sun, 06",
        ),
        ("503 busy", "Retry-After: soon\r\n", "P12", "received-status=503"),
        ("429 slow", "Retry-After: 7\r\n", "P16", "Retry-After: 7"),
        ("502 bad", "Retry-After: 7\r\n", "P13", "received-status=502"),
        ("504 late", "", "P15", "received-status=504"),
        ("403 no", "", "P10", "received-status=403"),
        ("302 go", "Location: http://portal.test/\r\n", "P22", "received-status=302"),
    ] {
        let upstream = Upstream::saying(format!("HTTP/1.1 {status_line}\r\n{fields}\r\n"));
        let answer = told(&upstream);
        let (head, body) = parts(&answer);
        assert!(head.contains(&format!("gocred[{code}]: the proxy ")), "{code}: {answer}");
        assert!(head.contains(&format!("; next-hop=\"{}\"", upstream.url())), "{answer}");
        assert!(head.contains(passed_on), "{passed_on}: {answer}");
        assert!(body.lines().count() >= 2, "it says what helps: {answer}");
        let may_say_when = matches!(code, "P14" | "P16");
        assert_eq!(head.contains("\r\nRetry-After: "), may_say_when, "{answer}");
    }
}

#[test]
fn a_plain_request_is_told_as_much() {
    let upstream = Upstream::saying("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let answer = daemon.ask("GET http://h.test/ HTTP/1.1\r\nHost: h\r\n\r\n");
    let (head, _) = parts(&answer);
    assert!(head.starts_with("HTTP/1.1 502 gocred[P21]: the answer of the proxy "), "{answer}");
    assert!(head.contains(&format!("; next-hop=\"{}\"", upstream.url())), "{answer}");
}

#[test]
fn a_web_page_instead_of_a_tunnel_is_not_passed_on() {
    let page = "<!DOCTYPE html><title>Sign in</title>";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 37\r\n\r\n";
    let late = Upstream::start(move |client, _| {
        client.send(head);
        // It comes in a segment of its own.
        thread::sleep(Duration::from_millis(50));
        client.send(page);
        Next::Close
    });
    let at_once = Upstream::saying(format!("HTTP/1.1 200 OK\r\n\r\n\r\n{page}"));
    let again = Upstream::saying("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 302 Found\r\n\r\n");
    for upstream in [late, at_once, again] {
        let answer = told(&upstream);
        let (head, _) = parts(&answer);
        assert!(head.starts_with("HTTP/1.1 502 gocred[P20]: "), "{answer}");
        assert!(!answer.contains('<'), "{answer}");
    }
    // A server that speaks first is one, and a proxy that calls its empty answer a page is harmless.
    let ssh = Upstream::saying("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n");
    assert!(told(&ssh).ends_with("\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n"));
    let odd = Upstream::start(|client, _| {
        client.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n");
        client.until("x");
        client.send("y");
        Next::Close
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&odd]);
    let mut client = daemon.client();
    client.send(CONNECT);
    assert_eq!(status(&client.head().expect("a head")), "200");
    client.send("x");
    assert_eq!(client.exactly(1), "y");
}

#[test]
fn a_page_that_says_why_a_login_was_rejected_is_read() {
    let Some(keyring) = Keyring::unlocked() else { return };
    for (page, code) in [
        ("<p>Your account is locked.</p>", "P34"),
        ("<p>Ihr Kennwort ist abgelaufen.</p>", "P35"),
        ("<p>If your account is locked, call us.</p>", "P02"),
    ] {
        let length = format!("Content-Length: {}\r\n", page.len());
        let chunked = "Transfer-Encoding: chunked\r\n".to_owned();
        let chunks = format!("{:x}\r\n{page}\r\n0\r\n\r\n", page.len());
        for (request, fields, page) in [
            (CONNECT, length.clone(), page),
            (CONNECT, format!("{length}Connection: close\r\n"), page),
            (GET, length, page),
            (GET, "Connection: close\r\n".to_owned(), page),
            (GET, chunked, &chunks),
        ] {
            let upstream = Upstream::saying(format!(
                "HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=\"r\"\r\n{fields}\r\n{page}"
            ));
            save(&keyring, &upstream, "ana:hunter2");
            let home = Home::new();
            let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
            for _ in 0..3 {
                let answer = daemon.ask(request);
                let (head, _) = parts(&answer);
                assert!(head.starts_with(&format!("HTTP/1.1 502 gocred[{code}]: ")), "{answer}");
                assert!(head.contains("run: gocred login --proxy"), "{answer}");
                assert!(!answer.contains("hunter2"), "{answer}");
            }
            assert_eq!(upstream.logins(), 1);
        }
    }
}

#[test]
fn a_page_that_does_not_come_keeps_nobody_waiting_for_long() {
    let upstream = Upstream::start(|client, _| {
        client.send("HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=\"r\"\r\n\r\n<p>");
        client.until_end();
        Next::Close
    });
    let proxy = Within::through(&upstream.url());
    let start = Instant::now();
    assert!(proxy.ask(GET).starts_with("HTTP/1.1 502 gocred[P02]: "));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(upstream.logins(), 1);
}

#[test]
fn a_tunnel_that_is_reset_within_its_handshake_is_a_finding() {
    let upstream = Upstream::start(|client, _| {
        client.send("HTTP/1.1 200 OK\r\n\r\n");
        client.exactly(5);
        client.send(vec![b'x'; 2500]);
        client.until("y");
        set_socket_linger(client.stream(), Some(Duration::ZERO)).expect("a reset");
        Next::Close
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let mut client = daemon.client();
    client.send(CONNECT);
    client.head().expect("a head");
    client.send("hello");
    client.exactly(2500);
    client.send("y");
    let mut rest = Vec::new();
    let _ = client.stream().try_clone().expect("a socket").read_to_end(&mut rest);
    eventually("the finding", || {
        let report = report(&home).to_string();
        let place = upstream.address;
        let expected = format!(
            "gocred[P24]: the tunnel to h.test:443 through {place} was reset after 2500 bytes"
        );
        report.contains(&expected).then_some(())
    });
}

/// A curl through a proxy whose targets are cut off, refuse, are late or break off what is kept.
struct Curl {
    upstream: Upstream,
    daemon: Daemon,
    home: Home,
    program: PathBuf,
}

impl Curl {
    fn new() -> Option<Self> {
        let program = program("curl", "curl")?;
        let upstream = Upstream::start(|client, head| {
            if head.starts_with("CONNECT refused.test") {
                client.send("HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n");
                return Next::Close;
            }
            client.send("HTTP/1.1 200 OK\r\n\r\n");
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if head.starts_with("CONNECT late.test") {
                client.until("\r\n\r\n");
                // Longer than go waits for a handshake: the server is slow on purpose.
                thread::sleep(Duration::from_secs(11));
                client.send(answer);
                return Next::Close;
            }
            if head.starts_with("CONNECT kept.test") {
                for _ in 0..2 {
                    client.until("\r\n\r\n");
                    client.send(answer);
                }
                thread::sleep(Duration::from_millis(500));
            } else {
                client.send("220 hello\r\n");
                // What was sent has reached curl.
                client.until("USER");
            }
            set_socket_linger(client.stream(), Some(Duration::ZERO)).expect("a reset");
            Next::Close
        });
        let home = Home::new();
        let daemon = Daemon::through(&home, &[&upstream]);
        Some(Self { upstream, daemon, home, program })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let proxy = format!("http://{}", self.daemon.address);
        let run = self.home.run(&self.program).args(["-sS", "--proxytunnel", "--proxy", &proxy]);
        run.args(arguments.iter().copied()).output()
    }
}

#[test]
fn a_curl_hears_why_on_its_own_standard_error() {
    let Some(curl) = Curl::new() else { return };
    let cut = curl.run(&["ftp://cut.test:443/x"]).err();
    let place = curl.upstream.address;
    let line = format!("gocred[P24]: the tunnel to cut.test:443 through {place} was reset after ");
    assert!(cut.lines().any(|it| it.starts_with(&line)), "{cut}");
    assert!(cut.contains("; `gocred explain P24`\n"), "{cut}");
    // However often it asks.
    let refused = curl.run(&["--retry", "2", "--retry-all-errors", "https://refused.test/x"]);
    let refused = refused.err();
    let lines = refused.lines().filter(|line| line.starts_with("gocred[P12]: ")).count();
    assert_eq!((lines, refused.matches("curl: (56) ").count()), (1, 3), "{refused}");
}

#[test]
fn a_curl_that_succeeds_hears_nothing() {
    let Some(curl) = Curl::new() else { return };
    let late = curl.run(&["http://late.test/"]);
    assert_eq!((late.code, late.err().as_str()), (Some(0), ""), "{late:?}");
    let kept = curl.run(&["http://kept.test/a", "http://kept.test/b"]);
    assert_eq!((kept.code, kept.err().as_str()), (Some(0), ""), "{kept:?}");
    let report = report(&curl.home).to_string();
    assert!(!report.contains("gocred["), "{report}");
}
