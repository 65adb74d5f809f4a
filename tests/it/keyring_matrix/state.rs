//! The states: how each is made, and what must be said in it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    any::Any,
    fs,
    io::Write as _,
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gocred::{
    core::{
        credential::{Key, Kind, Proof, Secrets},
        origin::Origin,
    },
    store,
    sys::env::Env,
};

use super::OLD;
use crate::support::{
    eventually,
    home::Home,
    keyring::{Keyring, ours, silent_bus},
    program,
    secret_service::{
        Arrived, COLLECTION, FakeBus, Service, error, found_items, objects, reply, truth,
    },
};

/// A state, and what is said in it: one code for all, or one for get, store and erase, or one for each
/// of them through the helper and through the command.
pub(super) struct State {
    pub(super) name: &'static str,
    pub(super) make: fn() -> Option<World>,
    said: &'static [&'static str],
}

impl State {
    /// Returns what is expected of the six cells.
    pub(super) fn expected(&self) -> impl Iterator<Item = &'static str> {
        self.said.iter().flat_map(|said| std::iter::repeat_n(*said, 6 / self.said.len()))
    }
}

/// What a program under test finds.
pub(super) struct World {
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) without: Vec<&'static str>,
    /// Happens while the program asks.
    pub(super) during: Option<Box<dyn FnOnce()>>,
    alive: Box<dyn Any>,
}

const fn state(
    name: &'static str,
    said: &'static [&'static str],
    make: fn() -> Option<World>,
) -> State {
    State { name, make, said }
}

pub(super) static STATES: &[State] = &[
    // A real gnome-keyring.
    state("open", &["ok"], || Some(real(Keyring::unlocked()?))),
    state("open, two items match", &["ok"], || {
        let keyring = Keyring::unlocked()?;
        foreign(&keyring, &[("note", "of another program")], "password=S3cret-twin\n")?;
        Some(real(keyring))
    }),
    state("open, the item is not in our form", &["K08", "K08", "K08", "ok", "K08", "ok"], || {
        let keyring = Keyring::unlocked()?;
        foreign(&keyring, &[], "S3cret-of-another-form")?;
        Some(on(keyring))
    }),
    state("locked, no display", &["K05"], || {
        let world = real(Keyring::unlocked()?);
        keyring(&world).lock();
        Some(world)
    }),
    state("locked, a display where nobody answers", &["K05"], || {
        let mut world = real(Keyring::unlocked()?);
        keyring(&world).lock();
        world.env.push(("DISPLAY", ":77".to_owned()));
        world.env.push(("WAYLAND_DISPLAY", "wayland-77".to_owned()));
        Some(world)
    }),
    state("no default collection", &["K27"], || Some(on(Keyring::activatable_only()?))),
    state("a bus, and nobody provides the service", &["K06"], || Some(on(Keyring::absent()?))),
    state("killed before, nobody starts it again", &["K06"], || {
        let world = real(Keyring::unlocked()?);
        keyring(&world).kill();
        Some(world)
    }),
    state("killed before, started again by the bus", &["K05"], || {
        let world = real(Keyring::restartable()?);
        keyring(&world).kill();
        Some(world)
    }),
    state("killed in the call, nobody starts it again", &["K07"], || {
        Some(killed(real(Keyring::unlocked()?)))
    }),
    state("killed in the call, started again by the bus", &["K05"], || {
        Some(killed(real(Keyring::restartable()?)))
    }),
    state("frozen", &["K17"], || {
        let world = real(Keyring::unlocked()?);
        keyring(&world).freeze();
        Some(world)
    }),
    // No bus.
    state("no address, no runtime folder", &["K06"], || {
        Some(World { without: vec!["XDG_RUNTIME_DIR"], ..bare(Vec::new(), ()) })
    }),
    state("no address, no socket in the runtime folder", &["K06"], || Some(bare(Vec::new(), ()))),
    state("nothing at the address", &["K06"], || Some(at("unix:path=/nonexistent/bus"))),
    state("an abstract address, nobody listens", &["K06"], || {
        Some(at("unix:abstract=gocred-test-nobody-listens-here"))
    }),
    state("address autolaunch:", &["K06"], || Some(at("autolaunch:"))),
    state("address tcp:", &["K06"], || Some(at("tcp:host=127.0.0.1,port=1"))),
    state("an address longer than a socket's", &["K06"], || {
        Some(at(&format!("unix:path=/{}", "x".repeat(200))))
    }),
    state("a stale socket", &["K06"], || {
        let home = Home::new();
        let path = home.runtime().join("stale");
        drop(UnixListener::bind(&path).expect("a socket"));
        Some(socket(&path.display().to_string(), home))
    }),
    state("a file in place of the socket", &["K06"], || {
        let home = Home::new();
        let path = home.write("run/file", "no socket");
        Some(socket(&path.display().to_string(), home))
    }),
    state("a bus that takes nobody in any more", &["K17"], || {
        let home = Home::new();
        let path = home.runtime().join("full");
        let listener = rustix::net::socket(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            None,
        )
        .expect("a socket");
        let name = rustix::net::SocketAddrUnix::new(&path).expect("a name");
        rustix::net::bind(&listener, &name).expect("bound");
        rustix::net::listen(&listener, 0).expect("listens");
        let waiting = UnixStream::connect(&path).expect("the only place in the queue");
        Some(socket(&path.display().to_string(), (home, listener, waiting)))
    }),
    state("a bus that never says a word", &["K17"], || {
        let bus = silent_bus();
        Some(bare(vec![("DBUS_SESSION_BUS_ADDRESS", bus.address())], bus))
    }),
    // A service of our own.
    state("another service, open", &["ok"], || Some(fake(|_, _, _| Act::Usual))),
    state("a bus that does not let us in", &["K06"], || {
        let bus = FakeBus::greeting("REJECTED DBUS_COOKIE_SHA1\r\n", |_, _| Some(Vec::new()));
        Some(bare(vec![("DBUS_SESSION_BUS_ADDRESS", bus.address())], bus))
    }),
    state("answers that are no D-Bus", &["K07"], || {
        Some(fake(|_, _, _| Act::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())))
    }),
    state("answers of zeroes", &["K07"], || Some(fake(|_, _, _| Act::Send(vec![0; 64])))),
    state("an answer that announces 4 GiB", &["K07"], || {
        Some(fake(|_, _, _| {
            let head = [b"l\x02\x01\x01".as_slice(), &[0xff; 4], &[7; 4], &[0; 4]];
            Act::Send(head.concat())
        }))
    }),
    state("a search answered in another type", &["K07"], || {
        Some(fake(on_member("SearchItems", |call| {
            Act::Send(reply(call.serial, "s", b"\x01\0\0\0x\0"))
        })))
    }),
    state("attributes answered in another type", &["K07"], || {
        // A login proves the keyring with an item of its own, whose attributes it does not read.
        Some(fake(on_item("Get", |call| Act::Send(truth(call.serial, true)))))
    }),
    state("hangs up at every call", &["K07"], || Some(fake(|_, _, _| Act::Close))),
    state("hangs up when a secret is read", &["K07", "K07", "K07", "K07", "K07", "ok"], || {
        Some(fake(on_member("GetSecrets", |_| Act::Close)))
    }),
    state("hangs up once", &["ok"], || {
        let mut is_first = true;
        Some(fake(on_member("SearchItems", move |_| {
            if std::mem::take(&mut is_first) { Act::Close } else { Act::Usual }
        })))
    }),
    state("half an answer, and then others", &["K07"], || {
        Some(fake(on_member("SearchItems", |call| {
            let mut part = reply(call.serial, "aoao", &[0; 8]);
            part.pop();
            Act::Send(part)
        })))
    }),
    state("an answer of one byte in 100 ms", &["K17"], || {
        Some(fake(|stream, call, _| {
            for byte in reply(call.serial, "aoao", &[0; 8]) {
                thread::sleep(Duration::from_millis(100));
                if stream.write_all(&[byte]).is_err() {
                    return Act::Close;
                }
            }
            Act::Wait
        }))
    }),
    state("answers to calls that nobody made", &["K17"], || {
        Some(fake(|_, _, _| Act::Send(reply(0xdead, "aoao", &[0; 8]))))
    }),
    state("works on and on, and answers pings", &["K17"], || {
        Some(fake(on_member("SearchItems", |_| Act::Wait)))
    }),
    state("each answer takes 700 ms", &["K17"], || {
        Some(fake(|_, _, _| {
            thread::sleep(Duration::from_millis(700));
            Act::Usual
        }))
    }),
    state("opens no session", &["K17", "K17", "K17", "K17", "K17", "ok"], || {
        Some(fake(on_member("OpenSession", |_| Act::Wait)))
    }),
    state("takes an item and never says so", &["ok", "K17", "ok"], || {
        Some(fake(on_member("CreateItem", |_| Act::Wait)))
    }),
    state("never says that an item is deleted", &["ok", "ok", "ok", "K17", "ok", "K17"], || {
        Some(fake(on_member("Delete", |_| Act::Wait)))
    }),
    state("asks a person before each change", &["ok", "ok", "K18", "K18", "ok", "K18"], || {
        Some(fake(prompting))
    }),
    state("asks a person, and does not let go", &["ok", "ok", "K18", "K18", "ok", "K18"], || {
        Some(fake(|stream, call, service| match call.member.as_str() {
            "Dismiss" => Act::Wait,
            _ => prompting(stream, call, service),
        }))
    }),
    state("asks a person for each program that reads", &["K18"], || {
        Some(fake(|_, call, service| match call.member.as_str() {
            "SearchItems" => Act::Send(found_items(call.serial, &[], &service.search(call))),
            _ => Act::Usual,
        }))
    }),
    state("locked, and a search shows nothing of it", &["K05"], || {
        Some(fake(|_, call, _| match call.member.as_str() {
            "SearchItems" => Act::Send(found_items(call.serial, &[], &[])),
            "Get" if call.path == COLLECTION => Act::Send(truth(call.serial, true)),
            _ => Act::Usual,
        }))
    }),
    state(
        "locked between the search and the reading",
        &["K05", "K05", "K05", "K05", "K05", "ok"],
        || {
            Some(fake(on_member("GetSecrets", |call| {
                Act::Send(error(call.serial, "org.freedesktop.Secret.Error.IsLocked"))
            })))
        },
    ),
    state("found, and left out when read", &["K07", "K07", "K07", "K07", "K07", "ok"], || {
        Some(fake(on_member("GetSecrets", |call| {
            Act::Send(reply(call.serial, "a{o(oayays)}", &[0; 8]))
        })))
    }),
    state("the session is lost once", &["ok"], || {
        let mut is_first = true;
        Some(fake(on_member("GetSecrets", move |call| {
            if std::mem::take(&mut is_first) {
                Act::Send(error(call.serial, "org.freedesktop.Secret.Error.NoSession"))
            } else {
                Act::Usual
            }
        })))
    }),
    state("no Secret Service", &["K07"], || {
        Some(fake(|_, call, _| {
            Act::Send(error(call.serial, "org.freedesktop.DBus.Error.UnknownMethod"))
        }))
    }),
    state("the bus forbids it", &["K20"], || Some(fake(failing("AccessDenied")))),
    state("it has no room left", &["ok", "K09", "ok"], || {
        Some(fake(on_member("CreateItem", |call| {
            Act::Send(error(call.serial, "org.freedesktop.DBus.Error.LimitsExceeded"))
        })))
    }),
    state("it does not answer the bus", &["K07"], || Some(fake(failing("NoReply")))),
    state("it cannot be started", &["K06"], || Some(fake(failing("Spawn.ChildExited")))),
    state("its start takes too long", &["K06"], || Some(fake(failing("TimedOut")))),
];

/// What a service of our own does with a call.
enum Act {
    /// It closes the connection.
    Close,
    /// It sends these bytes.
    Send(Vec<u8>),
    /// It does what the specification says.
    Usual,
    /// It says nothing.
    Wait,
}

fn prompting(_: &mut UnixStream, call: &Arrived, _: &mut Service) -> Act {
    match call.member.as_str() {
        "CreateItem" => Act::Send(reply(call.serial, "oo", &objects(&["/", "/prompt/p1"]))),
        "Delete" => Act::Send(reply(call.serial, "o", &objects(&["/prompt/p1"]))),
        // It has no prompt for that (Secret Service API, Item.SetSecret).
        "SetSecret" => Act::Send(error(call.serial, "org.freedesktop.Secret.Error.IsLocked")),
        _ => Act::Usual,
    }
}

/// Answers every call with an error of the bus.
fn failing(
    name: &'static str,
) -> impl FnMut(&mut UnixStream, &Arrived, &mut Service) -> Act + Send {
    move |_, call, _| Act::Send(error(call.serial, &format!("org.freedesktop.DBus.Error.{name}")))
}

/// Treats one kind of call.
fn on_member(
    member: &'static str,
    mut act: impl FnMut(&Arrived) -> Act + Send,
) -> impl FnMut(&mut UnixStream, &Arrived, &mut Service) -> Act + Send {
    move |_, call, _| if call.member == member { act(call) } else { Act::Usual }
}

/// Treats one kind of call to items.
fn on_item(
    member: &'static str,
    mut act: impl FnMut(&Arrived) -> Act + Send,
) -> impl FnMut(&mut UnixStream, &Arrived, &mut Service) -> Act + Send {
    move |_, call, _| {
        let is_item = call.path.len() > COLLECTION.len();
        if call.member == member && is_item { act(call) } else { Act::Usual }
    }
}

/// Starts a service of our own that holds the item, and has its peculiarity from then on. The first
/// call of a connection is the bus's own.
fn fake(
    mut act: impl FnMut(&mut UnixStream, &Arrived, &mut Service) -> Act + Send + 'static,
) -> World {
    let mut service = Service::default();
    let is_armed = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&is_armed);
    let bus = FakeBus::start(move |stream, call| {
        let is_hello = call.member == "Hello";
        let act = if is_hello || !armed.load(Ordering::SeqCst) {
            Act::Usual
        } else {
            act(stream, &call, &mut service)
        };
        match act {
            Act::Close => None,
            Act::Send(bytes) => Some(bytes),
            Act::Usual => Some(service.answer(&call)),
            Act::Wait => Some(Vec::new()),
        }
    });
    put(&bus.address());
    is_armed.store(true, Ordering::SeqCst);
    bare(vec![("DBUS_SESSION_BUS_ADDRESS", bus.address())], bus)
}

/// Stores the item that every question is about.
fn put(address: &str) {
    let origin = Origin::new("https", "git.test").expect("an origin");
    let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
    let record = store::record(key, Secrets::of(Proof::Password(OLD.into())), None, 1_700_000_000);
    let env = Env::of(&[("DBUS_SESSION_BUS_ADDRESS", address)]);
    store::keyring(&env).save(&record).expect("saved");
}

/// A world with the real daemon, which holds the item.
fn real(keyring: Keyring) -> World {
    put(&keyring.address());
    on(keyring)
}

/// A world with the real daemon as it is.
fn on(keyring: Keyring) -> World {
    bare(vec![("DBUS_SESSION_BUS_ADDRESS", keyring.address())], Arc::new(keyring))
}

fn keyring(world: &World) -> &Arc<Keyring> {
    world.alive.downcast_ref().expect("a real keyring")
}

/// The daemon ends while the program waits for its answer.
fn killed(mut world: World) -> World {
    let keyring = Arc::clone(keyring(&world));
    keyring.freeze();
    let before = keyring.clients();
    world.during = Some(Box::new(move || {
        eventually("the question is asked", || (keyring.clients() > before).then_some(()));
        keyring.kill();
    }));
    world
}

/// Stores an item with libsecret's tool, under the attributes that are ours and more.
fn foreign(keyring: &Keyring, more: &[(&str, &str)], secret: &str) -> Option<()> {
    program("secret-tool", "libsecret-tools")?;
    let mut attributes = ours("git.test", "git https://git.test", "ana");
    attributes.extend(more);
    keyring.foreign(&attributes, secret);
    Some(())
}

fn bare(env: Vec<(&'static str, String)>, alive: impl Any) -> World {
    World { env, without: Vec::new(), during: None, alive: Box::new(alive) }
}

fn at(address: &str) -> World {
    bare(vec![("DBUS_SESSION_BUS_ADDRESS", address.to_owned())], ())
}

fn socket(path: &str, alive: impl Any) -> World {
    assert!(fs::symlink_metadata(path).is_ok(), "{path}");
    bare(vec![("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={path}"))], alive)
}
