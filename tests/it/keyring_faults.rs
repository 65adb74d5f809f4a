//! The Secret Service store against buses that are absent, hostile or slow.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
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

use crate::support::{home::Home, keyring::silent_bus, quickest};

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
    let bus = FakeBus::start(|_, call| (call.member == Member::Hello).then(Vec::new));
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
                Some(if call.member == Member::SearchItems { part } else { Vec::new() })
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
fn a_service_that_wants_a_prompt_is_locked_and_the_prompt_is_dismissed() {
    let (dismissed, seen) = std::sync::mpsc::channel();
    let bus = FakeBus::start(move |_, call| match call.member {
        Member::CreateItem => Some(reply(call.serial, "oo", &objects(&["/", "/prompt/p1"]))),
        Member::Dismiss => {
            dismissed.send(call.path).ok()?;
            Some(reply(call.serial, "", b""))
        }
        other => Some(empty_and_open(other, call.serial)),
    });
    let record = record();
    assert_eq!(store::keyring(&env(&bus.address())).save(&record), Err(Error::Locked));
    assert_eq!(seen.recv().expect("a call"), "/prompt/p1");
}

#[test]
fn a_service_that_works_for_long_is_waited_for_while_it_answers_a_ping() {
    let mut waiting = None;
    let bus = FakeBus::start(move |_, call| match call.member {
        Member::SearchItems => {
            waiting = Some(call.serial);
            Some(Vec::new())
        }
        Member::Ping => {
            let pong = reply(call.serial, "", b"");
            Some([pong, reply(waiting.take()?, "aoao", &[0; 8])].concat())
        }
        other => Some(empty_and_open(other, call.serial)),
    });
    let (answer, took) = ask(&env(&bus.address()));
    assert_eq!(answer, Ok(0));
    assert!(took > Duration::from_millis(1500), "{took:?}");
}

#[test]
fn a_service_that_does_not_know_us_yet_is_searched_again_before_a_session_is_opened() {
    let (called, calls) = std::sync::mpsc::channel();
    let mut searches = 0;
    let bus = FakeBus::start(move |_, call| {
        called.send(call.member).ok()?;
        match call.member {
            Member::SearchItems => {
                searches += 1;
                if searches == 1 {
                    return Some(error(call.serial, "org.freedesktop.DBus.Error.UnknownMethod"));
                }
                Some(reply(call.serial, "aoao", &[0; 8]))
            }
            Member::CreateItem => Some(reply(call.serial, "oo", &objects(&["/i", "/"]))),
            other => Some(empty_and_open(other, call.serial)),
        }
    });
    assert_eq!(store::keyring(&env(&bus.address())).save(&record()), Ok(Saved::Written));
    assert_eq!(
        calls.try_iter().collect::<Vec<_>>(),
        [
            Member::Hello,
            Member::SearchItems,
            Member::SearchItems,
            Member::ReadAlias,
            Member::Get,
            Member::OpenSession,
            Member::CreateItem,
            Member::Set,
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
fn empty_and_open(member: Member, serial: u32) -> Vec<u8> {
    match member {
        Member::SearchItems => reply(serial, "aoao", &[0; 8]),
        Member::ReadAlias => reply(serial, "o", &objects(&["/c"])),
        Member::Get => reply(serial, "v", b"\x01b\0\0\0\0\0\0"),
        Member::OpenSession => {
            let session = [b"\x01s\0\0\0\0\0\0\0\0\0\0".as_slice(), &objects(&["/s"])].concat();
            reply(serial, "vo", &session)
        }
        Member::Hello
        | Member::CreateItem
        | Member::Dismiss
        | Member::GetSecrets
        | Member::Ping
        | Member::Set => reply(serial, "", b""),
    }
}

/// Encodes object paths one after the other.
fn objects(paths: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for path in paths {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(u32::try_from(path.len()).expect("a length").to_le_bytes());
        bytes.extend([path.as_bytes(), &[0]].concat());
    }
    bytes
}

/// Encodes a method return, independently of the code under test.
fn reply(to: u32, signature: &str, body: &[u8]) -> Vec<u8> {
    let mut fields = [&[5, 1, b'u', 0], to.to_le_bytes().as_slice()].concat();
    if !signature.is_empty() {
        let size = u8::try_from(signature.len()).expect("a length");
        fields.extend([&[8, 1, b'g', 0, size], signature.as_bytes(), &[0]].concat());
    }
    message(2, &fields, body)
}

fn error(to: u32, name: &str) -> Vec<u8> {
    let size = u32::try_from(name.len()).expect("a length").to_le_bytes();
    let to = [&[5, 1, b'u', 0], to.to_le_bytes().as_slice()].concat();
    message(3, &[&to, [4, 1, b's', 0].as_slice(), &size, name.as_bytes(), &[0]].concat(), b"")
}

fn message(kind: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a length").to_le_bytes();
    let mut message = [&[b'l', kind, 1, 1], size(body).as_slice(), &[9, 0, 0, 0]].concat();
    message.extend([&size(fields), fields].concat());
    message.resize(message.len().next_multiple_of(8), 0);
    [message.as_slice(), body].concat()
}

/// A call that arrived at the fake bus.
struct Arrived {
    serial: u32,
    member: Member,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    CreateItem,
    Dismiss,
    Get,
    GetSecrets,
    Hello,
    OpenSession,
    Ping,
    ReadAlias,
    SearchItems,
    Set,
}

impl Member {
    fn parse(name: &str) -> Self {
        match name {
            "CreateItem" => Self::CreateItem,
            "Dismiss" => Self::Dismiss,
            "Get" => Self::Get,
            "GetSecrets" => Self::GetSecrets,
            "Hello" => Self::Hello,
            "OpenSession" => Self::OpenSession,
            "Ping" => Self::Ping,
            "ReadAlias" => Self::ReadAlias,
            "SearchItems" => Self::SearchItems,
            "Set" => Self::Set,
            other => panic!("{other} is called"),
        }
    }
}

/// A bus whose answers a test decides.
struct FakeBus {
    home: Home,
    connections: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl FakeBus {
    /// Starts a bus that lets everybody in, answers `Hello` if `answer` returns nothing for it, and
    /// sends what `answer` returns. `None` closes the connection.
    fn start(
        answer: impl FnMut(&mut UnixStream, Arrived) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        Self::greeting("OK 0123456789abcdef0123456789abcdef\r\n", answer)
    }

    fn greeting(
        greeting: &'static str,
        mut answer: impl FnMut(&mut UnixStream, Arrived) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        let home = Home::new();
        let listener = UnixListener::bind(home.runtime().join("bus")).expect("a socket");
        let connections = std::sync::Arc::default();
        let bus = Self { home, connections };
        let connections = std::sync::Arc::clone(&bus.connections);
        // Ends with the test run; the client ends each connection.
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let _ = serve(stream.expect("a connection"), greeting, &mut answer);
            }
        });
        bus
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.home.runtime().join("bus").display())
    }

    fn connections(&self) -> usize {
        self.connections.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Serves one connection until either side has had enough.
fn serve(
    mut stream: UnixStream,
    greeting: &str,
    answer: &mut impl FnMut(&mut UnixStream, Arrived) -> Option<Vec<u8>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let begin = loop {
        fill(&mut stream, &mut bytes)?;
        let begin = b"BEGIN\r\n";
        if let Some(at) = bytes.windows(begin.len()).position(|window| window == begin) {
            break at + begin.len();
        }
    };
    bytes.drain(..begin);
    stream.write_all(greeting.as_bytes()).ok()?;
    loop {
        while let Some((call, size)) = parse(&bytes) {
            bytes.drain(..size);
            let sent = answer(&mut stream, call)?;
            stream.write_all(&sent).ok()?;
        }
        fill(&mut stream, &mut bytes)?;
    }
}

fn fill(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let size = stream.read(&mut chunk).ok().filter(|size| *size > 0)?;
    bytes.extend(chunk.get(..size)?);
    Some(())
}

/// Reads the first call, and how long it is.
fn parse(bytes: &[u8]) -> Option<(Arrived, usize)> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let (body, serial, fields) = (number(4)?, number(8)?, number(12)?);
    let size = (16 + fields).next_multiple_of(8) + body;
    bytes.get(..size)?;
    let field = |code: u8, kind: u8| {
        let mut at = 16;
        while at < 16 + fields {
            at = at.next_multiple_of(8);
            let head = bytes.get(at..at + 4)?;
            let size = if head.get(2) == Some(&b'g') {
                1 + usize::from(*bytes.get(at + 4)?)
            } else {
                4 + number(at + 4)?
            };
            if head == [code, 1, kind, 0] {
                return String::from_utf8(bytes.get(at + 8..at + 4 + size)?.to_vec()).ok();
            }
            at += 4 + size + 1;
        }
        None
    };
    let call = Arrived {
        serial: u32::try_from(serial).ok()?,
        member: Member::parse(&field(3, b's')?),
        path: field(1, b'o')?,
    };
    Some((call, size))
}
