//! The Secret Service store against buses that are absent, hostile or slow.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::Write,
    os::unix::net::UnixListener,
    thread,
    time::{Duration, Instant},
};

use gocred::{
    core::{
        credential::{Key, Kind, Proof, Query, Secrets},
        origin::Origin,
    },
    store::{self, Error, Saved},
    sys::env::Env,
};

use crate::support::{
    home::Home,
    keyring::silent_bus,
    quickest,
    secret_service::{Arrived, FakeBus, Service, error, objects, reply},
};

fn env(address: &str) -> Env {
    Env::of(&[("DBUS_SESSION_BUS_ADDRESS", address)])
}

fn query() -> Query {
    Query::origin(Kind::Git, Origin::new("https", "h").expect("an origin"))
}

/// Asks once; returns the error, or how many records came, and how long it took.
fn ask(env: &Env) -> (Result<usize, Error>, Duration) {
    let start = Instant::now();
    let answer = store::keyring(env).find(&query()).map(|records| records.len());
    (answer, start.elapsed())
}

#[test]
fn without_a_bus_there_is_no_service_at_once() {
    let home = Home::new();
    let stale = home.runtime().join("stale");
    drop(UnixListener::bind(&stale).expect("a socket"));
    let stale = format!("unix:path={}", stale.display());
    let run = home.runtime().display().to_string();
    for env in [
        Env::of(&[]),
        Env::of(&[("XDG_RUNTIME_DIR", &run)]),
        env(&stale),
        env("unix:path=/nonexistent/bus"),
        env("unix:abstract=gocred-test-nobody-listens-here"),
        env("autolaunch:"),
        env(&format!("unix:path=/{}", "x".repeat(200))),
    ] {
        let ((answer, _), took) = quickest(|| ask(&env));
        assert!(matches!(answer, Err(Error::NoService(_))), "{answer:?}");
        assert!(took < Duration::from_millis(50), "{took:?}");
    }
}

#[test]
fn a_bus_that_never_answers_is_silent_within_two_seconds() {
    let bus = silent_bus();
    let (answer, took) = ask(&env(&bus.address()));
    assert!(matches!(answer, Err(Error::Silent(1700..2000))), "{answer:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_second_address_is_tried_when_nobody_listens_at_the_first() {
    let bus = FakeBus::start(|_, call| Some(reply(call.serial, "aoao", &[0; 8])));
    let (answer, _) = ask(&env(&format!("unix:path=/nonexistent/bus;{}", bus.address())));
    // It answers everything as if it were a search.
    assert!(matches!(answer, Err(Error::Service(_))), "{answer:?}");
}

/// Bytes for the call with this serial.
type Answer = Box<dyn Fn(u32) -> Vec<u8> + Send>;

#[test]
fn hostile_answers_are_an_error_in_time_and_never_an_empty_keyring() {
    let head = |body: u32, fields: u32| {
        [b"l\x02\x01\x01".as_slice(), &body.to_le_bytes(), &[7; 4], &fields.to_le_bytes()].concat()
    };
    let paths = |size: u32, path: &[u8]| {
        let length = u32::try_from(path.len()).expect("a length").to_le_bytes();
        [&size.to_le_bytes(), length.as_slice(), path, &[0]].concat()
    };
    let answers: Vec<(&str, Answer)> = vec![
        ("a body of 4 GiB", Box::new(move |_| head(u32::MAX, 0))),
        ("fields of 4 GiB", Box::new(move |_| head(0, u32::MAX))),
        ("no D-Bus", Box::new(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
        ("zeroes", Box::new(|_| vec![0; 64])),
        ("no reply serial", Box::new(move |_| head(0, 0))),
        ("another signature", Box::new(|to| reply(to, "s", b"\x01\0\0\0x\0"))),
        ("no body", Box::new(|to| reply(to, "aoao", b""))),
        ("half an array", Box::new(move |to| reply(to, "aoao", &paths(200, b"/a")))),
        ("an array of 4 GiB", Box::new(|to| reply(to, "aoao", &[0xff; 8]))),
        ("a path that is none", Box::new(move |to| reply(to, "aoao", &paths(8, b"../")))),
        ("a path with NUL", Box::new(move |to| reply(to, "aoao", &paths(8, b"/\0a")))),
        ("a text without end", Box::new(|to| reply(to, "aoao", b"\x08\0\0\0\x03\0\0\0/abc"))),
    ];
    for (what, answer) in answers {
        let bus = FakeBus::start(move |_, call| Some(answer(call.serial)));
        let (answer, took) = ask(&env(&bus.address()));
        assert!(matches!(answer, Err(Error::Service(_))), "{what}: {answer:?}");
        assert!(took < Duration::from_secs(2), "{what}: {took:?}");
    }
}

#[test]
fn a_bus_that_hangs_up_is_asked_twice_and_no_more() {
    let bus = FakeBus::start(|_, call| (call.member == "Hello").then(Vec::new));
    let (answer, took) = ask(&env(&bus.address()));
    assert!(matches!(answer, Err(Error::Service(_))), "{answer:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(bus.connections(), 2);
}

#[test]
fn half_a_message_a_slow_drip_and_wrong_serials_are_silence() {
    let silent = |bus: &FakeBus| {
        let (answer, took) = ask(&env(&bus.address()));
        assert!(matches!(answer, Err(Error::Silent(_))), "{answer:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            silent(&FakeBus::start(|_, call| {
                let mut part = reply(call.serial, "aoao", &[0; 8]);
                part.pop();
                Some(if call.member == "SearchItems" { part } else { Vec::new() })
            }));
        });
        scope.spawn(|| silent(&FakeBus::start(|_, _| Some(reply(0xdead, "aoao", &[0; 8])))));
        scope.spawn(|| {
            silent(&FakeBus::start(|stream, call| {
                for byte in reply(call.serial, "aoao", &[0; 8]) {
                    thread::sleep(Duration::from_millis(100));
                    stream.write_all(&[byte]).ok()?;
                }
                Some(Vec::new())
            }));
        });
    });
}

#[test]
fn a_bus_that_does_not_let_us_in_is_no_service() {
    let bus = FakeBus::greeting("REJECTED DBUS_COOKIE_SHA1\r\n", |_, _| Some(Vec::new()));
    let (answer, _) = ask(&env(&bus.address()));
    assert!(matches!(answer, Err(Error::NoService(_))), "{answer:?}");
}

#[test]
fn a_prompt_is_told_and_dismissed() {
    let (dismissed, seen) = std::sync::mpsc::channel();
    let bus = FakeBus::start(move |_, call| match call.member.as_str() {
        "CreateItem" => Some(reply(call.serial, "oo", &objects(&["/", "/prompt/p1"]))),
        "Dismiss" => {
            dismissed.send(call.path).ok()?;
            Some(reply(call.serial, "", b""))
        }
        _ => Some(empty_and_open(&call)),
    });
    let record = record();
    // The whole program gets one of its own, which may end by itself (`keyring_keepassxc`).
    assert_eq!(store::keyring(&env(&bus.address())).save(&record), Err(Error::Elsewhere));
    assert_eq!(seen.recv().expect("a call"), "/prompt/p1");
}

#[test]
fn a_service_that_works_for_a_second_is_waited_for() {
    let bus = FakeBus::start(|_, call| {
        if call.member == "SearchItems" {
            thread::sleep(Duration::from_millis(1200));
        }
        Some(empty_and_open(&call))
    });
    assert_eq!(ask(&env(&bus.address())).0, Ok(0));
}

#[test]
fn what_follows_a_slow_answer_may_only_take_what_it_left() {
    let mut searches = 0;
    let bus = FakeBus::start(move |_, call| {
        if call.member == "SearchItems" {
            searches += 1;
            match searches {
                1 => thread::sleep(Duration::from_millis(1200)),
                _ => return Some(Vec::new()),
            }
        }
        Some(empty_and_open(&call))
    });
    let mut store = store::keyring(&env(&bus.address()));
    let start = Instant::now();
    assert_eq!(store.find(&query()).map(|found| found.len()), Ok(0));
    assert!(matches!(store.find(&query()), Err(Error::Silent(_))));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn a_service_that_does_not_know_us_yet_is_searched_again_before_a_session_is_opened() {
    let (called, calls) = std::sync::mpsc::channel();
    let mut searches = 0;
    let bus = FakeBus::start(move |_, call| {
        called.send(call.member.clone()).ok()?;
        match call.member.as_str() {
            "SearchItems" => {
                searches += 1;
                if searches == 1 {
                    return Some(error(call.serial, "org.freedesktop.DBus.Error.UnknownMethod"));
                }
                Some(reply(call.serial, "aoao", &[0; 8]))
            }
            "CreateItem" => Some(reply(call.serial, "oo", &objects(&["/i", "/"]))),
            _ => Some(empty_and_open(&call)),
        }
    });
    assert_eq!(store::keyring(&env(&bus.address())).save(&record()), Ok(Saved::Written));
    assert_eq!(
        calls.try_iter().collect::<Vec<_>>(),
        [
            "Hello",
            "SearchItems",
            "SearchItems",
            "ReadAlias",
            "Get",
            "OpenSession",
            "CreateItem",
            "Set",
        ]
    );
}

#[test]
fn a_service_that_is_no_secret_service_is_told_so() {
    let name = "org.freedesktop.DBus.Error.UnknownMethod";
    let bus = FakeBus::start(move |_, call| Some(error(call.serial, name)));
    let (answer, _) = ask(&env(&bus.address()));
    assert!(matches!(&answer, Err(Error::Service(text)) if text.contains(name)), "{answer:?}");
}

fn record() -> gocred::core::credential::Record {
    let origin = Origin::new("https", "h").expect("an origin");
    let key = Key { kind: Kind::Git, origin, path: None, user: "ana".into() };
    let secrets = Secrets::of(Proof::Password("pw".into()));
    store::record(key, secrets, None, 1)
}

/// Answers as a service whose default collection is open and empty.
fn empty_and_open(call: &Arrived) -> Vec<u8> {
    Service::default().answer(call)
}
