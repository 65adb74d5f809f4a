//! `gocred unlock` on a machine without a display: a GNOME keyring is created and unlocked from a
//! terminal, and a login does so on its way.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use gocred::{
    core::{
        config::Session,
        credential::{Key, Kind, Proof, Query, Secrets},
        origin::Origin,
    },
    store::{
        self, Error,
        gnome::{Gnome, Opened},
    },
    sys::env::Env,
};

use crate::support::{
    eventually,
    home::{Home, Run},
    keyring::{self, Keyring},
    secret_service::{FakeBus, Service, error, found_items, truth},
    terminal::Terminal,
};

const PASSWORD: &str = "p4ssword of the keyring";

/// A home that reaches a keyring.
struct Desk {
    home: Home,
    keyring: Keyring,
}

impl Desk {
    fn on(keyring: Keyring) -> Self {
        Self { home: Home::new(), keyring }
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        let run = self.home.gocred().args(arguments);
        run.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address()).env("TERM", "dumb")
    }

    fn terminal<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Option<Terminal> {
        Terminal::start(self.run(arguments))
    }

    /// Asks the keyring past the command.
    fn error(&self) -> Option<Error> {
        let env = Env::of(&[("DBUS_SESSION_BUS_ADDRESS", &self.keyring.address())]);
        store::keyring(&env).list(&Query::all(Kind::Git)).err()
    }
}

#[test]
fn a_new_account_gets_its_keyring_from_a_terminal_and_keeps_it() {
    let Some(mut keyring) = Keyring::activatable_only() else { return };
    let desk = Desk::on(keyring);
    assert_eq!(desk.error(), Some(Error::NoCollection));
    let Some(mut terminal) = desk.terminal(["unlock"]) else { return };
    terminal.awaits("no keyring yet");
    terminal.awaits("Password of the new keyring: ");
    terminal.types_secret("");
    terminal.awaits("would not be encrypted");
    terminal.awaits("Password of the new keyring: ");
    terminal.types_secret(PASSWORD);
    terminal.awaits("The same again: ");
    terminal.types_secret("another");
    terminal.awaits("two different passwords");
    terminal.awaits("Password of the new keyring: ");
    terminal.types_secret(PASSWORD);
    terminal.awaits("The same again: ");
    terminal.types_secret(PASSWORD);
    terminal.awaits("a new keyring was created");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert_eq!(desk.error(), None);
    assert!(desk.keyring.file().exists(), "the login keyring, which a desktop opens");

    let login = desk.run(["login", "git.test", "--username", "ana", "--with-token", "--no-verify"]);
    login.input("t0ken").output().success();
    assert!(desk.run(["unlock"]).output().success().contains("the keyring is open"));

    // The daemon is started again: by the bus, and locked.
    keyring = desk.keyring;
    keyring.kill();
    let desk = Desk { home: desk.home, keyring };
    assert_eq!(desk.error(), Some(Error::Locked));
    let Some(mut terminal) = desk.terminal(["unlock"]) else { return };
    terminal.awaits("Password of the keyring: ");
    terminal.types_secret("wrong");
    terminal.awaits("that is not its password");
    terminal.awaits("Password of the keyring: ");
    terminal.types_secret(PASSWORD);
    terminal.awaits("the keyring is open until you log out");
    assert_eq!(terminal.ends().0, Some(0));
    assert_eq!(desk.error(), None);
    assert!(desk.run(["list"]).output().success().contains("ana"));
}

#[test]
fn three_wrong_passwords_leave_it_locked_and_say_so() {
    let Some(keyring) = Keyring::locked() else { return };
    let desk = Desk::on(keyring);
    let Some(mut terminal) = desk.terminal(["unlock"]) else { return };
    for _ in 0..3 {
        terminal.awaits("Password of the keyring: ");
        terminal.types_secret("wrong");
    }
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(5), "{shown}");
    assert!(shown.contains("error[K05]: ") && shown.contains("hint: "), "{shown}");
    assert_eq!(desk.error(), Some(Error::Locked));
}

#[test]
fn a_login_opens_the_keyring_before_it_asks_for_the_secret() {
    let Some(keyring) = Keyring::activatable_only() else { return };
    let desk = Desk::on(keyring);
    let login = ["login", "git.test", "--username", "ana", "--no-verify"];
    let Some(mut terminal) = desk.terminal(login) else { return };
    terminal.awaits("1  a new keyring, with a password of your choice");
    terminal.awaits("Number [1]: ");
    terminal.types("");
    for question in ["Password of the new keyring: ", "The same again: "] {
        terminal.awaits(question);
        terminal.types_secret(PASSWORD);
    }
    terminal.awaits("Token or password of ana at git.test: ");
    terminal.types_secret("t0ken");
    terminal.awaits("git.test");
    // It goes on with what git and go need.
    terminal.types("n");
    terminal.types("n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("t0ken") && !shown.contains(PASSWORD), "{shown}");
    assert!(desk.run(["list"]).output().success().contains("ana"));
}

#[test]
fn without_a_terminal_nothing_is_asked_and_the_command_is_named() {
    for (keyring, code) in [(Keyring::locked(), "K05"), (Keyring::activatable_only(), "K05")] {
        let Some(keyring) = keyring else { return };
        let output = Desk::on(keyring).run(["unlock"]).output();
        assert_eq!(output.code, Some(5), "{output:?}");
        assert!(output.err().starts_with(&format!("error[{code}]: ")), "{output:?}");
        assert!(output.err().contains("run `gocred unlock` in a terminal"), "{output:?}");
    }
}

#[test]
fn a_keyring_that_takes_no_password_here_is_left_to_its_program() {
    let mut service = Service::default();
    let bus = FakeBus::start(move |_, call| {
        Some(match call.member.as_str() {
            "SearchItems" => found_items(call.serial, &[], &[]),
            "Introspect" => {
                crate::support::secret_service::text(call.serial, "<node><interface/></node>")
            }
            "Get" => truth(call.serial, true),
            "UnlockWithMasterPassword" => {
                error(call.serial, "org.freedesktop.DBus.Error.UnknownMethod")
            }
            _ => service.answer(&call),
        })
    });
    let home = Home::new();
    let run = home.gocred().arg("unlock").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    let output = run.output();
    assert_eq!(output.code, Some(5), "{output:?}");
    assert!(output.err().contains("in its own window only"), "{output:?}");
}

/// So often the keyring is troubled.
const ROUNDS: usize = 200;

/// Sets a flag in the end.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_keyring_that_is_killed_locked_and_started_again_gives_no_wrong_answer() {
    let Some(mut keyring) = Keyring::unlocked() else { return };
    let env = Env::of(&[("DBUS_SESSION_BUS_ADDRESS", &keyring.address())]);
    let origin = Origin::new("https", "git.test").expect("an origin");
    let key = Key { kind: Kind::Git, origin: origin.clone(), path: None, user: "ana".to_owned() };
    let record = store::record(key, Secrets::of(Proof::Password("pw".into())), None, 1);
    store::keyring(&env).save(&record).expect("saved");
    let is_over = AtomicBool::new(false);
    let ask = || {
        let (mut answers, mut findings, mut slowest) = (0, 0, Duration::ZERO);
        while !is_over.load(Ordering::SeqCst) {
            let start = Instant::now();
            match store::keyring(&env).find(&Query::origin(Kind::Git, origin.clone())) {
                Ok(records) => {
                    assert_eq!(records.len(), 1, "it was taken for missing");
                    answers += 1;
                }
                Err(_) => findings += 1,
            }
            slowest = slowest.max(start.elapsed());
        }
        (answers, findings, slowest)
    };
    thread::scope(|scope| {
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        // Also where a round fails: nobody is waited for who does not end.
        let ending = Ending(&is_over);
        for round in 0..ROUNDS {
            match round % 3 {
                0 => {
                    keyring.kill();
                    keyring.start();
                }
                1 => {
                    keyring.lock();
                    let password = keyring::PASSWORD.into();
                    // Four askers are before it, each with its own time limit.
                    eventually("it is unlocked", || {
                        let opened = Gnome::new(&env, Session::Plain).unlock(&password);
                        (opened == Ok(Opened::Yes)).then_some(())
                    });
                }
                _ => {
                    keyring.freeze();
                    thread::sleep(Duration::from_millis(50)); // questions run into it
                    keyring.thaw();
                }
            }
        }
        drop(ending);
        for asker in askers {
            let (answers, findings, slowest) = asker.join().expect("no wrong answer");
            println!("{answers} answers, {findings} findings, slowest {} ms", slowest.as_millis());
            assert!(answers > 0 && slowest < Duration::from_secs(5), "{slowest:?}");
        }
    });
}
