//! An upstream that is hostile, or out of its mind: whatever it sends, the client hears a finding with
//! a code in time, the proxy goes on, and the password is proven once at most.

use std::{
    io::Write,
    net::TcpListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    proxy_lab::{CONNECT, Client, GET, Next, Upstream, status},
    proxy_within::{Within, proof, proofs},
    support::{eventually, random::Random, tls},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

const POST: &str = "POST http://h.test/ HTTP/1.1\r\nHost: h.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
/// What a 407 offers, by the head that it answers.
type Offer = Box<dyn Fn(&str) -> String + Send + Sync>;
/// What Samba sends as the second message of NTLM.
const TYPE_2: &[u8] = include_bytes!("../fuzz/corpus/ntlm/samba-ad");

/// A 407 with these challenges, on a connection that goes on.
fn challenge(challenges: &str) -> String {
    let fields = challenges.replace('\n', "\r\nProxy-Authenticate: ");
    format!("HTTP/1.1 407 no\r\nProxy-Authenticate: {fields}\r\nContent-Length: 0\r\n\r\n")
}

/// Fails unless this is an answer of ours that says what is wrong, by its code.
fn assert_finding(told: &str, case: &str) {
    let first = told.split("\r\n").next().unwrap_or_default();
    assert!(first.starts_with("HTTP/1.1 50"), "{case}: {told:?}");
    assert!(first.contains(" gocred["), "{case}: {told:?}");
    assert!(told.contains("\r\nProxy-Status: gocred; error="), "{case}: {told:?}");
    assert!(told.bytes().all(|byte| byte >= b' ' || byte == b'\r' || byte == b'\n'), "{case}");
}

/// Fails unless nobody is left in the proxy.
fn assert_empty(proxy: &Within, case: &str) {
    let empty = || {
        let report = proxy.proxy.report();
        (report.clients == 0 && report.tunnels_open == 0).then_some(())
    };
    eventually(&format!("{case}: nobody is left"), empty);
}

/// Asks an upstream that answers each head like this, several times in each way.
fn besiege(
    case: &str,
    rounds: usize,
    answer: impl Fn(&mut Client, &str) -> Next + Send + Sync + 'static,
) -> Upstream {
    let upstream = Upstream::start(answer);
    let proxy = Within::through(&upstream.url());
    for _ in 0..rounds {
        for request in [CONNECT, GET, POST] {
            let begun = Instant::now();
            let told = proxy.ask(request);
            assert_finding(&told, case);
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(10), "{case}: {took:?}");
        }
    }
    assert_empty(&proxy, case);
    upstream
}

#[test]
fn an_answer_that_is_none_is_a_finding_with_a_code() {
    let long = |length: usize| "y".repeat(length);
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("a banner", b"220 mail.test ESMTP\r\n\r\n".to_vec()),
        ("zeros", vec![0; 1000]),
        ("ones", vec![0xff; 100_000]),
        ("half a word", b"HTT".to_vec()),
        ("half a line", b"HTTP/1.1 200".to_vec()),
        ("half a head", b"HTTP/1.1 200 OK\r\nX: y\r\n".to_vec()),
        ("half a 407", b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic".to_vec()),
        ("a status of letters", b"HTTP/1.1 abc OK\r\n\r\n".to_vec()),
        ("a status of 4 digits", b"HTTP/1.1 2000 OK\r\n\r\n".to_vec()),
        ("a status below 100", b"HTTP/1.1 099 OK\r\n\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/3", b"HTTP/3.0 200 OK\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"<html>ok</html>".to_vec()),
        ("bare LF", b"HTTP/1.1 200 OK\nX: y\n\n".to_vec()),
        ("a folded field", b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n".to_vec()),
        ("a field without name", b"HTTP/1.1 200 OK\r\n: y\r\n\r\n".to_vec()),
        ("a NUL", b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n".to_vec()),
        ("a long line", format!("HTTP/1.1 200 {}\r\n\r\n", long(20_000)).into()),
        ("many fields", format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(200)).into()),
        (
            "a long head",
            format!("HTTP/1.1 200 OK\r\n{}\r\n", format!("X: {}\r\n", long(9_000)).repeat(9))
                .into(),
        ),
        ("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28".to_vec()),
        ("interim answers only", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(500)),
        (
            "a switch nobody asked for",
            b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n".repeat(20),
        ),
    ];
    for (case, answer) in answers {
        let upstream = besiege(case, 1, move |client, _| {
            client.send(&answer);
            Next::Close
        });
        assert_eq!(upstream.logins(), 0, "{case}");
    }
}

#[test]
fn sixteen_interim_answers_are_passed_over_and_more_are_not() {
    for (number, expected) in [(16, "200"), (17, "502")] {
        let upstream = Upstream::start(move |client, _| {
            client.send("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(number));
            client.send("HTTP/1.1 200 ok\r\n\r\n");
            Next::Close
        });
        let told = Within::through(&upstream.url()).ask(CONNECT);
        assert_eq!(status(&told), expected, "{told}");
        if expected == "502" {
            assert_finding(&told, "seventeen");
        }
    }
}

/// 100 MB of head: a part of it is read.
#[test]
fn a_head_without_end_is_not_read_to_its_end() {
    for request in [CONNECT, GET] {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let upstream = Upstream::start(move |client, _| {
            client.send("HTTP/1.1 200 OK\r\n");
            let block = "X: yyyyyyyy\r\n".repeat(1000);
            while count.load(Ordering::Relaxed) < 100_000_000
                && client.stream().write_all(block.as_bytes()).is_ok()
            {
                count.fetch_add(block.len(), Ordering::Relaxed);
            }
            Next::Close
        });
        let proxy = Within::through(&upstream.url());
        let begun = Instant::now();
        let told = proxy.ask(request);
        assert!(told.starts_with("HTTP/1.1 502 gocred[P23]: "), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_empty(&proxy, "a long head");
        // What the kernel's buffers hold, and not much more.
        assert!(taken.load(Ordering::Relaxed) < 20_000_000, "{taken:?}");
    }
}

/// Half a head, or half a handshake, and then silence; or a byte now and then. All at a time, because
/// each takes as long as the proxy is patient.
#[test]
fn silence_and_dribble_end_in_time() {
    let cases: [(&str, &[u8]); 6] = [
        ("nothing", b""),
        ("half a head", b"HTTP/1.1 200 OK\r\nX: y\r\n"),
        ("half a 407", b"HTTP/1.1 407 no\r\nProxy-Authenticate: NTLM\r\n"),
        ("an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("half of SOCKS", b"\x05"),
        ("half of TLS", b"\x16\x03\x03\x40\x00\x02\x00"),
    ];
    let begun = Instant::now();
    let threads: Vec<_> = cases
        .into_iter()
        // In SOCKS each letter would be a word.
        .flat_map(|(case, start)| [(case, start, false), (case, start, case != "half of SOCKS")])
        .map(|(case, start, dribbles)| {
            thread::spawn(move || {
                let upstream = silent(start, dribbles);
                let scheme = match case {
                    "half of SOCKS" => "socks5h",
                    "half of TLS" => "https",
                    _ => "http",
                };
                let proxy = Within::through(&format!("{scheme}://{upstream}"));
                let told = proxy.ask(CONNECT);
                assert!(told.starts_with("HTTP/1.1 504 gocred[P17]: "), "{case}: {told:?}");
                assert_empty(&proxy, case);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a finding in time");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// Starts a server that says this, and then nothing, or a letter every half second.
fn silent(start: &'static [u8], dribbles: bool) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.write_all(start);
                while dribbles && stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(500));
                }
                // Until the other side closes.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            });
        }
    });
    address
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_407_for_ever_gets_one_proof() {
    let number = AtomicUsize::new(0);
    let fresh = move || number.fetch_add(1, Ordering::Relaxed);
    let type_2 = format!("NTLM {}", STANDARD.encode(TYPE_2));
    let in_negotiate = format!("Negotiate {}", STANDARD.encode(TYPE_2));
    let fresh = Arc::new(fresh);
    let offer = |offer: &'static str| -> Offer {
        let fresh = Arc::clone(&fresh);
        Box::new(move |_| offer.replace('#', &fresh().to_string()))
    };
    let cases: Vec<(&str, usize, Offer)> = vec![
        ("Basic", 1, offer("Basic realm=\"r#\"")),
        ("Bearer", 1, offer("Bearer realm=\"r#\"")),
        ("Digest", 1, offer("Digest realm=\"r\", nonce=\"n#\", qop=\"auth\"")),
        ("Digest of 2069", 1, offer("Digest realm=\"r#\", nonce=\"n#\"")),
        (
            "Digest with two hashes",
            1,
            offer(
                "Digest realm=\"r\", nonce=\"n#\", algorithm=SHA-256, qop=\"auth\"\nDigest realm=\"r\", nonce=\"m#\", qop=\"auth\"",
            ),
        ),
        // A nonce that is too old is no verdict (RFC 7616 §3.3); three in a row are.
        ("stale Digest", 3, offer("Digest realm=\"r\", nonce=\"n#\", qop=\"auth\", stale=true")),
        ("NTLM", 1, {
            let type_2 = type_2.clone();
            Box::new(move |head| {
                let begins = head.contains("TlRMTVNTUAAB") && proof(head).is_none();
                if begins { type_2.clone() } else { "NTLM".to_owned() }
            })
        }),
        ("NTLM, each a second message", 1, Box::new(move |_| type_2.clone())),
        ("Negotiate, each a second message", 1, Box::new(move |_| in_negotiate.clone())),
        ("nothing after a proof", 1, {
            Box::new(|head| if proof(head).is_some() { "" } else { "Basic realm=\"r\"" }.to_owned())
        }),
        ("another scheme each time", 1, {
            let fresh = Arc::clone(&fresh);
            let type_2 = format!("NTLM {}", STANDARD.encode(TYPE_2));
            Box::new(move |head| match fresh() % 4 {
                _ if head.contains("TlRMTVNTUAAB") && proof(head).is_none() => type_2.clone(),
                0 => "Basic realm=\"r\"".to_owned(),
                1 => "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"".to_owned(),
                2 => "NTLM".to_owned(),
                _ => "Negotiate".to_owned(),
            })
        }),
        ("a stronger one after each proof", 1, {
            let proven = AtomicUsize::new(0);
            Box::new(move |head| {
                let offers = [
                    "Basic realm=\"r\"",
                    "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
                    "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
                ];
                if proof(head).is_some() {
                    proven.fetch_add(1, Ordering::Relaxed);
                }
                offers[proven.load(Ordering::Relaxed).min(2)].to_owned()
            })
        }),
    ];
    for (case, most, offer) in cases {
        let upstream = besiege(case, 4, move |client, head| {
            let offer = offer(head);
            if offer.is_empty() {
                client.send("HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n");
            } else {
                client.send(challenge(&offer));
            }
            Next::Again
        });
        let heads = upstream.heads();
        assert!(proofs(&heads).len() <= most, "{case}: {:?}", proofs(&heads));
    }
}

/// Over TLS nobody has removed an offer, so that a weaker one is believed: and yet the password is
/// proven once.
#[test]
fn a_tls_upstream_that_offers_another_scheme_each_time_gets_one_proof() {
    let Some(authority) = tls::Authority::new() else { return };
    authority.sign("proxy", "IP:127.0.0.1", 2);
    let config = authority.config("proxy");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let offers = ["Basic realm=\"r\"", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "Bearer"];
    let turn = AtomicUsize::new(0);
    let (address, _server) = tls::serve(config, 10_000, move |mut served| {
        let mut bytes = Vec::new();
        loop {
            let mut block = [0; 4096];
            let Ok(length @ 1..) = std::io::Read::read(&mut served, &mut block) else { return };
            bytes.extend_from_slice(&block[..length]);
            if !bytes.ends_with(b"\r\n\r\n") {
                continue;
            }
            let head = String::from_utf8_lossy(&std::mem::take(&mut bytes)).into_owned();
            log.lock().unwrap_or_else(PoisonError::into_inner).push(head);
            let offer = offers[turn.fetch_add(1, Ordering::Relaxed) % offers.len()];
            let answer =
                challenge(offer).replace("Content-Length", "Connection: close\r\nContent-Length");
            if served.write_all(answer.as_bytes()).and_then(|()| served.flush()).is_err() {
                return;
            }
            served.conn.send_close_notify();
            let _ = served.flush();
            return;
        }
    });
    let proxy = Within::trusting(&format!("https://{address}"), vec![authority.file("ca.pem")]);
    for _ in 0..6 {
        for request in [CONNECT, GET] {
            assert_finding(&proxy.ask(request), request);
        }
    }
    let heads = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(!heads.is_empty());
    assert!(proofs(&heads).len() <= 1, "{:?}", proofs(&heads));
}

#[test]
fn a_407_that_asks_for_nothing_that_there_is_gets_nothing() {
    let long = "y".repeat(15_000);
    for offer in [
        "",
        "=",
        ",,,,",
        "\u{fe}\u{ff}",
        "Basic\u{0}",
        "Hoba result=\"x\"",
        "NTLMv3",
        "Basic2 realm=\"r\"",
        "Digest",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=ROT13",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"r\u{7f}\", nonce=\"n\"",
        "Digest realm=\"r",
        &format!("Digest realm=\"{long}\", nonce=\"n\", algorithm=X"),
        &"Digest ".repeat(2_000),
        &"Hoba, ".repeat(2_000),
    ] {
        let answer = challenge(offer);
        let upstream = besiege(&offer.chars().take(60).collect::<String>(), 2, move |client, _| {
            client.send(&answer);
            Next::Again
        });
        assert_eq!(proofs(&upstream.heads()), [""; 0], "{offer}");
    }
}

/// What a proxy may put where a base64 token is expected.
#[test]
fn a_token_that_is_none_gets_no_proof() {
    for scheme in ["NTLM", "Negotiate"] {
        for token in [
            "!!!!",
            "====",
            "TlRMTVNTUAAC",
            "TlRMTVNTUAADAAAA",
            "TlRMTVNTUAABAAAA",
            "YIIBGwYGKwYBBQUCoIIBDzCC",
            "oYIBGzCCARegAwoBAaEMBgorBgEEAYI3AgIK",
            "oQcwBaADCgEC",
            "MIIBAA==",
            "a=b",
            "\"quoted\"",
            "a b c",
            "realm=\"r\"",
            &"QUFB".repeat(3_000),
            &format!("{}=", "A".repeat(4_095)),
        ] {
            let case = format!("{scheme} {}", token.chars().take(40).collect::<String>());
            let offer = challenge(scheme);
            let reply = challenge(&format!("{scheme} {token}"));
            let upstream = besiege(&case, 2, move |client, head| {
                let has_token = head.to_ascii_lowercase().contains("proxy-authorization");
                client.send(if has_token { &reply } else { &offer });
                Next::Again
            });
            assert_eq!(proofs(&upstream.heads()), [""; 0], "{case}");
        }
    }
}

/// A thousand second messages of NTLM, and in SPNEGO: of random bytes, and a real one with random
/// changes. The proxy that gets an answer to one is content with it.
#[test]
fn a_thousand_random_tokens_harm_nobody() {
    let random = Mutex::new(Random::new());
    let mut spnego = vec![0xa1];
    spnego.extend_from_slice(&include_bytes!("../fuzz/corpus/spnego/samba-ad")[1..]);
    let real = [TYPE_2.to_vec(), include_bytes!("../fuzz/corpus/spnego/samba-ad").to_vec(), spnego];
    let token = move || {
        let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
        let mut byte = |end| u8::try_from(random.below(end)).unwrap_or(0);
        let mut bytes = match byte(4) {
            0 => (0..usize::from(byte(200))).map(|_| byte(256)).collect(),
            1 => {
                let rest: Vec<u8> = (0..usize::from(byte(200))).map(|_| byte(256)).collect();
                [b"NTLMSSP\0\x02\0\0\0", &rest[..]].concat()
            }
            which => real[usize::from(which) - 2 + usize::from(byte(2))].clone(),
        };
        for _ in 0..byte(6) {
            let at = usize::from(byte(255)) * bytes.len() / 255;
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte(256);
            }
        }
        if byte(4) == 0 {
            bytes.truncate(usize::from(byte(255)) * bytes.len() / 255);
        }
        // None at all says that the scheme is not spoken, and is believed for a while.
        STANDARD.encode(if bytes.is_empty() { vec![0] } else { bytes })
    };
    let token = Arc::new(token);
    for scheme in ["NTLM", "Negotiate"] {
        let token = Arc::clone(&token);
        let upstream = Upstream::start(move |client, head| {
            if proof(head).is_some() {
                client.send("HTTP/1.1 200 ok\r\n\r\n");
                return Next::Close;
            }
            let has_token = head.contains("Proxy-Authorization: ");
            let offer = if has_token { format!("{scheme} {}", token()) } else { scheme.into() };
            client.send(challenge(&offer));
            Next::Again
        });
        let proxy = Within::through(&upstream.url());
        let mut opened = 0;
        for number in 0..1_000 {
            let told = proxy.ask(CONNECT);
            if status(&told) == "200" {
                opened += 1;
            } else {
                assert_finding(&told, &format!("{scheme} {number}"));
            }
        }
        assert_empty(&proxy, scheme);
        assert!((1..1_000).contains(&opened), "{scheme}: {opened} of 1000");
    }
}

/// What is said where TLS should be: P29 to P31, or the connection that ended.
#[test]
fn an_upstream_that_speaks_no_tls_is_a_finding_and_hears_nothing() {
    for (case, said) in [
        ("nothing", Vec::new()),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("a banner", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("zeros", vec![0; 4096]),
        ("ones", vec![0xff; 4096]),
        ("an alert", b"\x15\x03\x03\x00\x02\x02\x28".to_vec()),
        ("a warning", b"\x15\x03\x03\x00\x02\x01\x00".to_vec()),
        ("an empty record", b"\x16\x03\x03\x00\x00".repeat(100)),
        ("a long record", [&b"\x16\x03\x03\xff\xff"[..], &vec![0; 70_000]].concat()),
        ("a hello of nonsense", [&b"\x16\x03\x03\x00\x30\x02\x00\x00\x2c"[..], &[7; 44]].concat()),
        (
            "a long handshake",
            [&b"\x16\x03\x03\x40\x00\x0b\xff\xff\xff"[..], &[0; 16_380]].concat().repeat(70),
        ),
        ("data", [&b"\x17\x03\x03\x00\x10"[..], &[7; 16]].concat()),
        ("a change of ciphers", b"\x14\x03\x03\x00\x01\x01".repeat(1000)),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut hello = [0; 2048];
                let length = std::io::Read::read(&mut stream, &mut hello).unwrap_or_default();
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.extend_from_slice(&hello[..length]);
                let _ = stream.write_all(&said);
            }
        });
        let proxy = Within::through(&format!("https://{address}"));
        for request in [CONNECT, GET] {
            let begun = Instant::now();
            let told = proxy.ask(request);
            assert_finding(&told, case);
            assert!(begun.elapsed() < Duration::from_secs(5), "{case}: {:?}", begun.elapsed());
        }
        assert_empty(&proxy, case);
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |text: &[u8]| heard.windows(text.len()).any(|at| at == text);
        assert!(!has(b"h.test") && !has(b"CONNECT") && !has(b"Proxy-"), "{case}");
    }
}

/// What is said where SOCKS should be. A server that asks for a login gets it once.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn an_upstream_that_speaks_no_socks_is_a_finding() {
    let name = [&b"\x05\x00\x00\x03\xff"[..], &[b'y'; 255], b"\x00\x50"].concat();
    for (case, replies, logins) in [
        ("nothing", vec![], 0),
        ("HTTP", vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], 0),
        ("SOCKS 4", vec![b"\x00\x5a\x00\x00\x00\x00\x00\x00".to_vec()], 0),
        ("no method", vec![b"\x05\xff".to_vec()], 0),
        ("GSSAPI", vec![b"\x05\x01".to_vec()], 0),
        ("a method nobody offered", vec![b"\x05\x80".to_vec()], 0),
        ("half a method", vec![b"\x05".to_vec()], 0),
        ("half a reply", vec![b"\x05\x00".to_vec(), b"\x05\x00\x00\x01\x7f".to_vec()], 0),
        (
            "another kind of address",
            vec![b"\x05\x00".to_vec(), b"\x05\x00\x00\x02\x00\x00".to_vec()],
            0,
        ),
        (
            "another version",
            vec![b"\x05\x00".to_vec(), b"\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec()],
            0,
        ),
        (
            "a refusal",
            vec![b"\x05\x00".to_vec(), b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00".to_vec()],
            0,
        ),
        (
            "an unknown refusal",
            vec![b"\x05\x00".to_vec(), b"\x05\xfe\x00\x01\x00\x00\x00\x00\x00\x00".to_vec()],
            0,
        ),
        (
            "a refusal with a long name",
            vec![b"\x05\x00".to_vec(), [&b"\x05\x01"[..], &name[2..]].concat()],
            0,
        ),
        ("a login without verdict", vec![b"\x05\x02".to_vec()], 6),
        ("a login that is wrong", vec![b"\x05\x02".to_vec(), b"\x01\x01".to_vec()], 1),
        ("a login of another version", vec![b"\x05\x02".to_vec(), b"\x05\x00".to_vec()], 6),
        ("zeros", vec![vec![0; 300]], 0),
        ("ones", vec![vec![0xff; 300]], 0),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let proven = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&proven);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a limit");
                let mut block = [0; 2048];
                for number in 0..=replies.len() {
                    let Ok(length @ 1..) = std::io::Read::read(&mut stream, &mut block) else {
                        break;
                    };
                    let secret = super::proxy_within::PASSWORD.as_bytes();
                    let has = block[..length].windows(secret.len()).any(|at| at == secret);
                    count.fetch_add(usize::from(has), Ordering::Relaxed);
                    let Some(reply) = replies.get(number) else { break };
                    let _ = stream.write_all(reply);
                }
            }
        });
        let proxy = Within::through(&format!("socks5h://{address}"));
        for _ in 0..3 {
            for request in [CONNECT, GET] {
                let told = proxy.ask(request);
                let first = told.split("\r\n").next().unwrap_or_default();
                assert!(first.contains(" gocred["), "{case}: {told:?}");
                assert!(
                    first.starts_with("HTTP/1.1 50") || first.starts_with("HTTP/1.1 403"),
                    "{told}"
                );
            }
        }
        assert_empty(&proxy, case);
        assert!(proven.load(Ordering::Relaxed) <= logins, "{case}: {proven:?}");
    }
}

/// What a proxy says of the nonce to use next.
#[test]
fn a_next_nonce_of_nonsense_harms_nobody() {
    for info in [
        "nextnonce",
        "nextnonce=",
        "nextnonce=\"",
        "nextnonce=\"a\\\"b\\\\c\"",
        "nextnonce=\"\u{7f}\"",
        "nextnonce=\"\u{fe}\u{ff}\"",
        "nextnonce=a, nextnonce=b",
        "Digest nextnonce=\"x\"",
        "rspauth=\"0\", nc=99999999999, cnonce=\"\", qop=auth-int",
        &format!("nextnonce=\"{}\"", "n".repeat(15_000)),
        &",".repeat(10_000),
    ] {
        let field = format!("Proxy-Authentication-Info: {info}\r\n");
        let upstream = Upstream::start(move |client, head| {
            match proof(head) {
                None => client.send(challenge("Digest realm=\"r\", nonce=\"first\", qop=\"auth\"")),
                Some(_) if head.starts_with("CONNECT ") => {
                    client.send(format!("HTTP/1.1 200 ok\r\n{field}\r\n"));
                    return Next::Close;
                }
                Some(_) => {
                    client.send(format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 2\r\n\r\nok"));
                }
            }
            Next::Again
        });
        let proxy = Within::through(&upstream.url());
        for request in [CONNECT, GET, CONNECT, GET] {
            let told = proxy.ask(request);
            let is_no_field = info.contains('\u{7f}');
            // P41: what is no HTTP answers the password as little as nothing at all.
            let is_refused = told.contains("[P21]") || told.contains("[P41]");
            assert!(status(&told) == "200" || (is_no_field && is_refused), "{info}: {told}");
        }
        for head in upstream.heads() {
            assert!(head.lines().all(|line| line.len() < 20_000), "{info}");
            assert!(head.matches("nonce=").count() <= 2, "{info}: {head}");
        }
    }
}

/// A tunnel whose first bytes come with its 200, or instead of it.
#[test]
fn early_data_belongs_to_the_tunnel_and_to_nobody_else() {
    for (case, answer, expected) in [
        ("with the 200", "HTTP/1.1 200 ok\r\n\r\nearly", "early"),
        ("with a length", "HTTP/1.1 200 ok\r\nContent-Length: 2\r\n\r\nearly", "early"),
        (
            "in chunks",
            "HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "0\r\n\r\n",
        ),
    ] {
        let upstream = Upstream::saying(answer);
        let proxy = Within::through(&upstream.url());
        let mut client = Client::to(proxy.address);
        client.send(CONNECT);
        let head = client.head().expect("an answer");
        assert_eq!(status(&head), "200", "{case}: {head}");
        assert_eq!(head.matches("\r\n").count(), 2, "{case}: {head}");
        client.half_close();
        assert_eq!(client.until_end(), expected, "{case}");
        assert_empty(&proxy, case);
    }
    // Nobody has asked anything through the tunnel: a second answer is the proxy's, and no tunnel.
    let upstream = Upstream::saying("HTTP/1.1 200 ok\r\n\r\nHTTP/1.1 407 x\r\n\r\n");
    let told = Within::through(&upstream.url()).ask(CONNECT);
    assert!(told.starts_with("HTTP/1.1 502 gocred[P20]: "), "{told}");
    // What follows a 407 was sent before we asked: no answer to the next request, which would be the
    // next client's.
    let answer = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\n\r\n\
                  HTTP/1.1 200 ok\r\n\r\nevil";
    let upstream = Upstream::start(move |client, head| {
        if proof(head).is_some() {
            client.send("HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n");
        } else {
            client.send(answer);
        }
        Next::Again
    });
    let proxy = Within::through(&upstream.url());
    for request in [CONNECT, GET, CONNECT] {
        let told = proxy.ask(request);
        assert_eq!(status(&told), "403", "{told}");
        assert!(!told.contains("evil"), "{told}");
    }
}

/// A conversation that goes well, cut after each of its bytes: the whole of it opens the tunnel,
/// and a part of it proves the password at most once a request, and never before it was asked for.
#[test]
fn a_conversation_that_breaks_off_at_any_byte_is_a_finding() {
    let ntlm = format!("NTLM {}", STANDARD.encode(TYPE_2));
    let basic = vec![challenge("Basic realm=\"r\"")];
    let digest = vec![challenge("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")];
    let ntlm = vec![challenge("NTLM"), challenge(&ntlm)];
    for (scheme, challenges) in [("Basic", basic), ("Digest", digest), ("NTLM", ntlm)] {
        let whole =
            [&challenges[..], &["HTTP/1.1 200 Connection established\r\n\r\n".to_owned()]].concat();
        let cut = Arc::new(Mutex::new((0, 0)));
        let (at, told) = (Arc::clone(&cut), whole.clone());
        let upstream = Upstream::start(move |client, head| {
            // Which answer is due depends on what was said.
            let number = match proof(head) {
                Some(_) => told.len() - 1,
                None if head.contains("TlRMTVNTUAAB") => 1,
                None => 0,
            };
            let (answer, byte) = *at.lock().unwrap_or_else(PoisonError::into_inner);
            let text = &told[number];
            if number == answer {
                client.send(text.get(..byte).expect("ASCII"));
                return Next::Close;
            }
            client.send(text);
            if number == told.len() - 1 { Next::Close } else { Next::Again }
        });
        for (number, text) in whole.iter().enumerate() {
            let end = text.len() - 5;
            for byte in (0..text.len()).filter(|byte| byte % 9 == 0 || *byte < 14 || *byte > end) {
                *cut.lock().unwrap_or_else(PoisonError::into_inner) = (number, byte);
                let proxy = Within::through(&upstream.url());
                let before = upstream.heads().len();
                let case = format!("{scheme}, answer {number}, byte {byte}");
                let told = proxy.ask(CONNECT);
                assert_finding(&told, &case);
                assert!(told.contains("[P18]") || told.contains("[P41]"), "{case}: {told}");
                let heads = upstream.heads().split_off(before);
                // What was said to stay open and is closed without a word is replaced, once.
                let most = if number < whole.len() - 1 { 0 } else { 1 + usize::from(byte == 0) };
                assert!(proofs(&heads).len() <= most, "{case}: {heads:?}");
                assert_empty(&proxy, &case);
            }
        }
        *cut.lock().unwrap_or_else(PoisonError::into_inner) = (usize::MAX, 0);
        assert_eq!(status(&Within::through(&upstream.url()).ask(CONNECT)), "200", "{scheme}");
    }
}

/// The framing of a body, without end: a part of it is read, and the client's connection ends, so that
/// nobody takes what came for the whole.
#[test]
fn a_framing_without_end_is_cut() {
    for (case, start, block) in [
        ("a chunk's size", "", "0"),
        ("a chunk's extension", "5;", "x=y;"),
        ("a quoted extension", "5;x=\"", "y"),
        ("a trailer", "0\r\nX: ", "y"),
        ("trailers", "0\r\n", "X: y\r\n"),
        ("a size that no number holds", "fffffffffffffffff\r\n", "y"),
        ("bare line ends", "5\n", "hello\n5\n"),
        ("a size of letters", "hello\r\n", "y"),
        ("a longer chunk than its size", "1\r\nhello", "y"),
    ] {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let upstream = Upstream::start(move |client, _| {
            client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.send(start);
            let block = block.repeat(10_000);
            while count.load(Ordering::Relaxed) < 100_000_000
                && client.stream().write_all(block.as_bytes()).is_ok()
            {
                count.fetch_add(block.len(), Ordering::Relaxed);
            }
            Next::Close
        });
        let proxy = Within::through(&upstream.url());
        let told = proxy.ask("GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n");
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 200 OK\r\n"), "{case}: {told}");
        assert!(!told.ends_with("0\r\n\r\n"), "{case}: {told}");
        assert_empty(&proxy, case);
        assert!(taken.load(Ordering::Relaxed) < 20_000_000, "{case}: {taken:?}");
    }
}
