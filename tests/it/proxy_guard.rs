//! A stale password is proven once: by however many at a time, in each scheme, by two proxies of the
//! same user, and after a restart; and once more after it was stored again.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gocred::core::guard::UNANSWERED;
use rustix::net::sockopt::set_socket_linger;

use super::{
    proxy_lab::{CONNECT, Client, Daemon, GET, Next, Upstream, echo, proxy, save, status},
    proxy_refused::{STALE, assert_one_failed_login, store},
    proxy_schemes::{Way, curl, sit_down},
    proxy_within::{Within, proof, proofs},
    support::{domain::Domain, eventually, home::Home, keyring::Keyring},
};

const CLIENTS: usize = 64;

/// Half of them ask for a tunnel, half for a page; returns what each was told.
fn at_once(address: std::net::SocketAddr) -> Vec<String> {
    let ask = |number: usize| {
        thread::spawn(move || {
            let mut client = Client::to(address);
            client.send(if number.is_multiple_of(2) { CONNECT } else { GET });
            client.head().expect("an answer")
        })
    };
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(ask(number));
    }
    clients.into_iter().map(|client| client.join().expect("an answer")).collect()
}

/// A proxy that takes no password, whatever it is.
fn refuses(offer: &'static str, second: Option<&'static str>) -> Upstream {
    Upstream::start(move |client, head| {
        let begins = proof(head).is_none() && head.contains("Proxy-Authorization: ");
        let offer = second.filter(|_| begins).unwrap_or(offer);
        client.send(format!(
            "HTTP/1.1 407 no\r\nProxy-Authenticate: {offer}\r\nContent-Length: 0\r\n\r\n"
        ));
        Next::Again
    })
}

/// What a proxy offers, and what it answers to a first message.
pub(crate) fn offers() -> [(&'static str, Option<&'static str>); 5] {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let type_2 = STANDARD.encode(include_bytes!("../fuzz/corpus/ntlm/samba-ad"));
    [
        ("Basic realm=\"r\"", None),
        ("Bearer", None),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", None),
        ("NTLM", Some(format!("NTLM {type_2}").leak())),
        ("Negotiate", Some(format!("Negotiate {type_2}").leak())),
    ]
}

#[test]
fn sixty_four_at_once_prove_a_stale_password_once_in_each_scheme() {
    for (offer, second) in offers() {
        let upstream = refuses(offer, second);
        let proxy = Within::through(&upstream.url());
        for round in 1..=2 {
            for _ in 0..2 {
                for told in at_once(proxy.address) {
                    assert!(told.starts_with("HTTP/1.1 502 gocred[P02]: "), "{offer}: {told}");
                }
                let heads = upstream.heads();
                assert_eq!(proofs(&heads).len(), round, "{offer}: {:?}", proofs(&heads));
                assert_eq!(proxy.vault.rejections(), round, "{offer}");
            }
            proxy.vault.set_password("another");
            thread::sleep(gocred::core::guard::REREAD);
        }
    }
}

#[test]
fn a_proxy_that_names_its_realm_only_when_it_says_no_gets_a_stale_password_once() {
    let [.., (_, Some(type_2)), _] = offers() else { unreachable!() };
    let upstream = Upstream::start(move |client, head| {
        let offer = match (proof(head), head.contains("Proxy-Authorization: ")) {
            (Some(_), _) => "NTLM\r\nProxy-Authenticate: Basic realm=\"Corp\"",
            (None, true) => type_2,
            (None, false) => "NTLM",
        };
        client.send(format!(
            "HTTP/1.1 407 no\r\nProxy-Authenticate: {offer}\r\nContent-Length: 0\r\n\r\n"
        ));
        Next::Again
    });
    let proxy = Within::through(&upstream.url());
    for _ in 0..2 {
        for request in [CONNECT, GET] {
            let told = proxy.ask(request);
            assert!(told.starts_with("HTTP/1.1 502 gocred[P02]: "), "{told}");
        }
        thread::sleep(gocred::core::guard::REREAD);
    }
    assert_eq!(proofs(&upstream.heads()).len(), 1);
}

/// A proxy that breaks off when it is given a proof, unless it works.
fn breaks_off(
    offer: &'static str,
    second: Option<&'static str>,
    linger: Option<Duration>,
    works: &Arc<AtomicBool>,
) -> Upstream {
    let works = Arc::clone(works);
    Upstream::start(move |client, head| {
        if proof(head).is_none() {
            let begins = head.contains("Proxy-Authorization: ");
            let offer = second.filter(|_| begins).unwrap_or(offer);
            client.send(format!(
                "HTTP/1.1 407 no\r\nProxy-Authenticate: {offer}\r\nContent-Length: 0\r\n\r\n"
            ));
            return Next::Again;
        }
        if works.load(Ordering::Acquire) {
            client.send("HTTP/1.1 200 OK\r\n\r\n");
            echo(client);
        }
        set_socket_linger(client.stream(), linger).expect("set");
        Next::Close
    })
}

/// A SOCKS server that wants a login (RFC 1929), takes it, and closes.
struct SocksServer {
    address: std::net::SocketAddr,
    logins: Arc<AtomicUsize>,
}

impl SocksServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let logins = Arc::new(AtomicUsize::default());
        let counted = Arc::clone(&logins);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut greeting, mut login) = ([0; 64], [0; 512]);
                let _ = stream.read(&mut greeting);
                let _ = stream.write_all(if greeting.contains(&2) { &[5, 2] } else { &[5, 0xff] });
                if matches!(stream.read(&mut login), Ok(1..)) {
                    counted.fetch_add(1, Ordering::AcqRel);
                }
            }
        });
        Self { address, logins }
    }

    fn url(&self) -> String {
        format!("socks5h://{}", self.address)
    }

    fn logins(&self) -> usize {
        self.logins.load(Ordering::Acquire)
    }
}

#[test]
fn a_password_that_is_never_answered_is_proven_three_times_in_each_scheme() {
    thread::scope(|scope| {
        for offer in offers() {
            for linger in [None, Some(Duration::ZERO)] {
                scope.spawn(move || is_proven_three_times(offer, linger));
            }
        }
    });
}

fn is_proven_three_times(
    (offer, second): (&'static str, Option<&'static str>),
    linger: Option<Duration>,
) {
    let upstream = breaks_off(offer, second, linger, &Arc::default());
    let proxy = Within::through(&upstream.url());
    let mut most = usize::from(UNANSWERED);
    for _ in 0..2 {
        let mut told = String::new();
        for request in [CONNECT, GET].repeat(10) {
            told = proxy.ask(request);
            assert!(told.starts_with("HTTP/1.1 502 gocred["), "{offer}: {told}");
        }
        assert!(told.starts_with("HTTP/1.1 502 gocred[P41]: "), "{offer}: {told}");
        assert!(told.contains("without an answer"), "{offer}: {told}");
        assert!(told.contains(&format!("gocred login --proxy {}", upstream.url())), "{told}");
        let heads = upstream.heads();
        assert_eq!(proofs(&heads).len(), most, "{offer}: {:?}", proofs(&heads));
        // It was not rejected either.
        assert_eq!(proxy.vault.rejections(), 0, "{offer}");
        // The store was asked again, and it is still the same one.
        thread::sleep(gocred::core::guard::REREAD);
        let _ = proxy.ask(CONNECT);
        assert_eq!(proofs(&upstream.heads()).len(), most, "{offer}");
        thread::sleep(gocred::core::guard::REREAD);
        proxy.vault.set_password("another");
        most += usize::from(UNANSWERED);
    }
}

#[test]
fn sixty_four_at_once_prove_a_password_that_is_never_answered_three_times() {
    let upstream = breaks_off("Basic realm=\"r\"", None, None, &Arc::default());
    let proxy = Within::through(&upstream.url());
    for told in at_once(proxy.address) {
        assert!(told.starts_with("HTTP/1.1 502 gocred["), "{told}");
    }
    assert_eq!(proofs(&upstream.heads()).len(), usize::from(UNANSWERED));
    // The user says that it is right.
    proxy.reload(&upstream.url());
    for told in at_once(proxy.address) {
        assert!(told.starts_with("HTTP/1.1 502 gocred["), "{told}");
    }
    assert_eq!(proofs(&upstream.heads()).len(), 2 * usize::from(UNANSWERED));
}

#[test]
fn a_socks_server_that_never_answers_the_password_is_given_it_three_times() {
    let upstream = SocksServer::start();
    let proxy = Within::through(&upstream.url());
    for _ in 0..10 {
        for request in [CONNECT, GET] {
            assert!(proxy.ask(request).starts_with("HTTP/1.1 502 gocred["));
        }
    }
    assert!(proxy.ask(CONNECT).starts_with("HTTP/1.1 502 gocred[P41]: "));
    assert_eq!(upstream.logins(), usize::from(UNANSWERED));
}

/// A proxy whose directory takes its time for a wrong password.
fn is_slow(delay: Duration) -> Upstream {
    Upstream::start(move |client, head| {
        if proof(head).is_some() {
            thread::sleep(delay);
        }
        client.send(
            "HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\n\r\n",
        );
        Next::Again
    })
}

#[test]
fn a_directory_that_is_slow_to_say_no_is_asked_once() {
    for first in [CONNECT, GET] {
        let upstream = is_slow(Duration::from_secs(8));
        let proxy = Within::through(&upstream.url());
        let leader = thread::spawn({
            let address = proxy.address;
            move || {
                let mut client = Client::to(address);
                client.send(first);
                client.head().expect("an answer")
            }
        });
        eventually("it tries the password", || {
            (!proofs(&upstream.heads()).is_empty()).then_some(())
        });
        for told in at_once(proxy.address) {
            assert!(told.starts_with("HTTP/1.1 502 gocred[P02]: "), "{told}");
        }
        assert!(leader.join().expect("an answer").contains("[P02]"));
        assert_eq!(proofs(&upstream.heads()).len(), 1);
    }
}

#[test]
fn clients_that_do_not_wait_for_the_verdict_prove_a_password_three_times() {
    let upstream = is_slow(Duration::from_secs(60));
    let proxy = Within::through(&upstream.url());
    for request in [CONNECT, GET].repeat(usize::from(UNANSWERED)) {
        let before = proofs(&upstream.heads()).len();
        let mut client = Client::to(proxy.address);
        client.send(request);
        if before < usize::from(UNANSWERED) {
            eventually("it tries the password", || {
                (proofs(&upstream.heads()).len() > before).then_some(())
            });
        } else {
            let told = client.head().expect("an answer");
            assert!(told.starts_with("HTTP/1.1 502 gocred[P41]: "), "{told}");
        }
    }
    assert_eq!(proofs(&upstream.heads()).len(), usize::from(UNANSWERED));
    assert_eq!(proxy.vault.rejections(), 0);
}

#[test]
fn an_upstream_that_has_accepted_the_password_and_breaks_off_is_used_on() {
    for (offer, second) in offers() {
        let works = Arc::new(AtomicBool::new(true));
        let upstream = breaks_off(offer, second, None, &works);
        let proxy = Within::through(&upstream.url());
        assert_eq!(status(&proxy.ask(CONNECT)), "200", "{offer}");
        works.store(false, Ordering::Release);
        for number in 0..20 {
            if number == 10 {
                proxy.reload(&upstream.url());
            }
            let before = proofs(&upstream.heads()).len();
            let told = proxy.ask(CONNECT);
            assert!(told.starts_with("HTTP/1.1 502 gocred["), "{offer}: {told}");
            assert!(proofs(&upstream.heads()).len() > before, "{offer}: {number}");
        }
        works.store(true, Ordering::Release);
        assert_eq!(status(&proxy.ask(CONNECT)), "200", "{offer}");
    }
}

#[test]
fn an_upstream_that_never_answers_the_password_gives_way_to_the_next() {
    let (offer, second) = ("Basic realm=\"r\"", None);
    let broken = breaks_off(offer, second, None, &Arc::default());
    let good = Upstream::echo();
    let proxy = Within::through_all(&[&broken.url(), &good.url()]);
    for _ in 0..10 {
        assert_eq!(status(&proxy.ask(CONNECT)), "200");
    }
    assert!(proofs(&broken.heads()).len() <= usize::from(UNANSWERED));
}

#[test]
fn two_proxies_of_one_user_prove_a_stale_password_once_and_again_when_it_is_stored_again() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let upstream = refuses("Basic realm=\"corp\"", None);
    save(&keyring, &upstream, "ana:stale");
    // They share where the state is, as two sessions of the same user do.
    let (home, other) = (Home::new(), Home::new());
    let start = |runtime: &Home| {
        let run = proxy(&home, &[upstream.url()]);
        let run = run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        Daemon::start(&run.env("XDG_RUNTIME_DIR", runtime.runtime()))
    };
    let (mut first, mut second) = (start(&home), start(&other));
    let expect = |daemon: &Daemon, logins: usize| {
        for told in at_once(daemon.address) {
            assert!(told.starts_with("HTTP/1.1 502 gocred[P02]: "), "{told}");
        }
        assert_eq!(upstream.logins(), logins);
    };
    expect(&first, 1);
    expect(&second, 1);
    expect(&first, 1);
    drop((first, second));
    (first, second) = (start(&home), start(&other));
    expect(&second, 1);
    expect(&first, 1);
    // The user says that it is right: it is tried once more, by one of them.
    let login =
        ["login", "--proxy", &upstream.url(), "--username", "ana", "--with-token", "--no-verify"];
    let run = home.gocred().args(login).input("stale\n");
    run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output().success();
    eventually("it is tried again", || {
        let _ = at_once(second.address);
        (upstream.logins() == 2).then_some(())
    });
    thread::sleep(gocred::core::guard::REREAD);
    expect(&second, 2);
    thread::sleep(gocred::core::guard::REREAD);
    expect(&first, 2);
    assert_eq!(status(&first.ask(GET)), "502");
}

#[test]
fn sixty_four_at_once_cost_one_failed_login_at_a_real_proxy() {
    for way in [Way::BASIC, Way::DIGEST, Way::NTLM] {
        let Some(mut domain) = Domain::enter() else { return };
        let Some(developer) = sit_down(&domain, &[&way]) else { return };
        store(&domain, &developer, &way, STALE);
        let daemon = developer.start_proxy();
        domain.lab.forget();
        let at_once = ["--parallel", "--parallel-immediate", "--parallel-max", "64"];
        let targets = ["--output", "/dev/null", "https://cdn.corp.test/?[1-64]"];
        let output = curl(&domain, &daemon, &[&at_once[..], &targets[..]].concat());
        assert_ne!(output.code, Some(0), "{output:?}");
        drop(daemon);
        assert_one_failed_login(&domain, &way);
    }
}
