//! A stale password is proven once: by however many at a time, in each scheme, by two proxies of the
//! same user, and after a restart; and once more after it was stored again.

use std::thread;

use super::{
    proxy_auth::save,
    proxy_lab::{Client, Daemon, Next, Upstream, proxy, status},
    proxy_refused::{STALE, assert_one_failed_login, store},
    proxy_schemes::{Way, curl, sit_down},
    proxy_within::{Within, proof, proofs},
    support::{domain::Domain, eventually, home::Home, keyring::Keyring},
};

const CONNECT: &str = "CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\n\r\n";
const GET: &str = "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n";
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

#[test]
fn sixty_four_at_once_prove_a_stale_password_once_in_each_scheme() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let type_2 = STANDARD.encode(include_bytes!("../fuzz/corpus/ntlm/samba-ad"));
    let ntlm: &str = format!("NTLM {type_2}").leak();
    let negotiate: &str = format!("Negotiate {type_2}").leak();
    for (offer, second) in [
        ("Basic realm=\"r\"", None),
        ("Bearer", None),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", None),
        ("NTLM", Some(ntlm)),
        ("Negotiate", Some(negotiate)),
    ] {
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
