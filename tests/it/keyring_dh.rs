//! The encrypted session of the Secret Service: asked for by the user, or by a service that takes no
//! secret as it is.

use std::{thread, time::Duration};

use gocred::{
    core::{
        config::Config,
        credential::{Kind, Query},
        origin::Origin,
    },
    store::{self, Desk as Opened},
    sys::{env::Env, paths::Paths},
};

use crate::support::{
    git::quiet,
    home::{GOCRED, HELPER, Home, Output, Run},
    keyring::Keyring,
    secret_service::{Encrypted, FakeBus, Service},
};

const ASK: &str = "protocol=https\nhost=git.test\n";
const ANSWER: &str = "username=ana\npassword=S3cret-of-ana\n";
const LOGIN: [&str; 6] = ["login", "git.test", "--no-verify", "--with-token", "--username", "ana"];
const ALGORITHM: &str = "dh-ietf1024-sha256-aes128-cbc-pkcs7";

struct Desk {
    home: Home,
    address: String,
}

impl Desk {
    fn on(address: String) -> Self {
        Self { home: Home::new(), address }
    }

    fn run(&self, program: &str) -> Run {
        self.home.run(program).env("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }

    fn login(&self) -> Output {
        self.run(GOCRED).args(LOGIN).input("S3cret-of-ana").output()
    }

    fn get(&self) -> Output {
        self.run(HELPER).arg("get").input(ASK).output()
    }
}

#[test]
fn gnome_keyring_is_asked_in_an_encrypted_session_after_a_search() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let desk = Desk::on(keyring.address());
    desk.home.write(".config/gocred/config.toml", "[secret_service]\nsession = \"dh\"\n");
    let monitor = keyring.monitor();
    desk.login().success();
    assert_eq!(quiet(desk.get()), ANSWER);
    let store = desk.run(HELPER).arg("store").input(format!("{ASK}username=ana\npassword=S3c-2\n"));
    quiet(store.output());
    assert_eq!(quiet(desk.get()), "username=ana\npassword=S3c-2\n");
    let (calls, shown) = (monitor.calls(), monitor.shown());
    let position = |member: &str| calls.iter().position(|call| call == member);
    assert!(position("SearchItems") < position("OpenSession"), "{calls:?}");
    assert!(position("OpenSession").is_some() && position("CreateItem").is_some(), "{calls:?}");
    assert!(shown.contains(ALGORITHM) && !shown.contains("string \"plain\""), "{shown}");
    assert!(!shown.contains("password=S3c"), "no secret travels as it is");
    // The same items are read in a plain session: the encryption is the way's, and not the item's.
    desk.home.write(".config/gocred/config.toml", "");
    assert_eq!(quiet(desk.get()), "username=ana\npassword=S3c-2\n");
    assert!(monitor.shown().contains("string \"plain\""));
}

/// Each connection is a new client of a daemon that a session before a search would end.
#[test]
fn many_clients_at_once_with_encrypted_sessions_leave_the_daemon_alive() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let desk = Desk::on(keyring.address());
    desk.login().success();
    let pid = keyring.pid();
    let home = desk.home.path().to_str().expect("UTF-8");
    let env = Env::of(&[("HOME", home), ("DBUS_SESSION_BUS_ADDRESS", &desk.address)]);
    let paths = Paths::resolve(&env).expect("a home");
    let config = Config::parse("[secret_service]\nsession = \"dh\"\n").expect("a configuration");
    let query = Query::origin(Kind::Git, Origin::new("https", "git.test").expect("an origin"));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let opened = Opened { env: &env, paths: &paths, config: &config };
                    let found = store::open(&opened).find(&query).expect("an answer");
                    assert_eq!(found.len(), 1);
                }
            });
        }
    });
    assert_eq!(keyring.pid(), pid);
}

#[test]
fn a_service_that_takes_no_secret_as_it_is_is_asked_again_by_the_whole_program() {
    let mut service = Service::encrypted(Encrypted::of(&[2]));
    let bus = FakeBus::start(move |_, call| Some(service.answer(&call)));
    let desk = Desk::on(bus.address());
    desk.login().success();
    let get = desk.get();
    assert!(get.took < Duration::from_secs(2), "{get:?}");
    assert_eq!(quiet(get), ANSWER);
    let store = desk.run(HELPER).arg("store").input(format!("{ASK}username=ana\npassword=two\n"));
    quiet(store.output());
    assert_eq!(quiet(desk.get()), "username=ana\npassword=two\n");
    let erase = desk.run(HELPER).arg("erase").input(format!("{ASK}username=ana\npassword=two\n"));
    quiet(erase.output());
    assert_eq!(quiet(desk.get()), "");
}

#[test]
fn a_service_that_cheats_in_the_agreement_or_damages_secrets_is_told_and_believed_nothing() {
    for public in [&[][..], &[0], &[1], &[0xff; 128], &[2; 200]] {
        let mut service = Service::encrypted(Encrypted::of(public));
        let bus = FakeBus::start(move |_, call| Some(service.answer(&call)));
        let said = Desk::on(bus.address()).login();
        assert_eq!(said.code, Some(5), "{public:?}: {said:?}");
        assert!(said.err().contains("error[K07]: "), "{said:?}");
        assert!(said.took < Duration::from_secs(5), "{said:?}");
    }
    let damages: [fn(&mut Vec<u8>); 4] = [
        |value| value.clear(),
        |value| value.truncate(15),
        |value| value.push(0),
        |value| {
            if let Some(last) = value.last_mut() {
                *last ^= 0xff;
            }
        },
    ];
    for damage in damages {
        let mut encrypted = Encrypted::of(&[2]);
        encrypted.damage = damage;
        let mut service = Service::encrypted(encrypted);
        let bus = FakeBus::start(move |_, call| Some(service.answer(&call)));
        let said = Desk::on(bus.address()).login();
        assert_eq!(said.code, Some(5), "{said:?}");
        assert!(!said.err().contains("S3cret"), "{said:?}");
    }
}
