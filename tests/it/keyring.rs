//! The Secret Service store against a real gnome-keyring.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use gocred::{
    core::{
        credential::{Hidden, Key, Kind, Proof, Query, Record, Secrets},
        origin::Origin,
        secret::{ExposeSecret, SecretString},
    },
    store::{self, Error, Saved, Store, secret_service_keyring::SecretServiceKeyring},
    sys::env::Env,
};
use keyring_core::{Error as KeyringError, api::CredentialStoreApi};

use crate::support::{
    eventually,
    keyring::{Keyring, ours},
    program, quickest,
};

fn origin(authority: &str) -> Origin {
    Origin::new("https", authority).expect("an origin")
}

fn key(authority: &str, user: &str) -> Key {
    Key { kind: Kind::Git, origin: origin(authority), path: None, user: user.to_owned() }
}

fn of(key: Key, password: &str) -> Record {
    let proof = Proof::Password(password.into());
    store::record(key, Secrets::of(proof), None, 1_700_000_000)
}

fn all(authority: &str) -> Query {
    Query::origin(Kind::Git, origin(authority))
}

/// Returns user and password of each record, sorted.
fn logins(records: &[Record]) -> Vec<(&str, &str)> {
    let mut logins: Vec<_> = records
        .iter()
        .map(|record| match &record.secrets.proof {
            Proof::Password(password) => (record.entry.key.user.as_str(), password.expose_secret()),
            Proof::Encoded { .. } => panic!("not a password"),
        })
        .collect();
    logins.sort_unstable();
    logins
}

/// Identifies the state of the keyring's file: the daemon replaces it with each change.
fn file(keyring: &Keyring) -> (u64, i64, i64) {
    let about = fs::metadata(keyring.file()).expect("the keyring's file");
    (about.ino(), about.mtime(), about.mtime_nsec())
}

#[test]
fn what_is_saved_is_found_by_its_origin_its_path_and_its_user() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let mut store = keyring.open();
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), []);
    store.save(&of(key("h", "ana"), "one")).expect("saved");
    store.save(&of(key("h", "bob"), "two")).expect("saved");
    store.save(&of(key("h:8443", "ana"), "port")).expect("saved");
    let path = Some("team/lib".to_owned());
    let scoped = Key { path: path.clone(), ..key("h", "ana") };
    store.save(&of(scoped, "path")).expect("saved");
    let proxy = Key { kind: Kind::Proxy, ..key("h", "ana") };
    store.save(&of(proxy, "proxy")).expect("saved");

    let mut store = keyring.open();
    let mut find = |query: Query| {
        let found = store.find(&query).expect("an answer");
        logins(&found).into_iter().map(|(_, password)| password.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(find(all("h")), ["one", "path", "two"]);
    assert_eq!(find(all("h:8443")), ["port"]);
    assert_eq!(find(all("h:443")), [""; 0]);
    assert_eq!(find(Query { path, ..all("h") }), ["path"]);
    assert_eq!(find(Query { user: Some("bob".into()), ..all("h") }), ["two"]);
    assert_eq!(find(Query { user: Some(String::new()), ..all("h") }), [""; 0]);
    assert_eq!(find(Query { kind: Kind::Proxy, ..all("h") }), ["proxy"]);
    let listed = store.list(&Query::all(Kind::Git)).expect("a list");
    assert_eq!(listed.len(), 4);
}

#[test]
fn every_kind_of_secret_comes_back_as_it_was() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let mut store = keyring.open();
    let bearer = Secrets {
        proof: Proof::Encoded { authtype: "Bearer".into(), credential: "ey.J0=".into() },
        refresh_token: Some(SecretString::from("refresh")),
        session: Some(SecretString::from("session")),
    };
    let saved = store::record(key("h", ""), bearer, Some(1_800_000_000), 1_700_000_000);
    assert_eq!(store.save(&saved), Ok(Saved::Written));
    let [found] = &store.find(&all("h")).expect("an answer")[..] else { panic!("one record") };
    assert_eq!(found.entry, saved.entry);
    let Proof::Encoded { authtype, credential } = &found.secrets.proof else { panic!("encoded") };
    assert_eq!((authtype.as_str(), credential.expose_secret()), ("Bearer", "ey.J0="));
    let token = found.secrets.refresh_token.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(token, Some("refresh"));
    assert!(found.secrets.session.is_some(), "{found:?}");
    assert_eq!(store.list(&all("h")), Ok(vec![saved.entry]));

    let odd = "sp ace=\"quote\" \u{e9}\u{1f511} \\ %00 \r";
    assert_eq!(store.save(&of(key("o", "a@b:c"), odd)), Ok(Saved::Written));
    assert_eq!(logins(&store.find(&all("o")).expect("an answer")), [("a@b:c", odd)]);
    let long = "x".repeat(60 * 1024);
    assert_eq!(store.save(&of(key("l", "ana"), &long)), Ok(Saved::Written));
    assert_eq!(logins(&store.find(&all("l")).expect("an answer")), [("ana", long.as_str())]);
    for refused in ["a\nb", &"x".repeat(64 * 1024)] {
        let answer = store.save(&of(key("r", "ana"), refused));
        // What is too long is not refused: the whole program has a place for it.
        assert!(matches!(answer, Err(Error::Refused(_) | Error::Elsewhere)), "{answer:?}");
    }
    assert_eq!(logins(&store.find(&all("r")).expect("an answer")), []);
}

#[test]
fn an_unchanged_secret_is_not_written_again() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let mut store = keyring.open();
    let mut record = of(key("h", "ana"), "one");
    assert_eq!(store.save(&record), Ok(Saved::Written));
    let before = file(&keyring);
    record.entry.stored += 100;
    assert_eq!(keyring.open().save(&record), Ok(Saved::Unchanged));
    assert_eq!(store.save(&record), Ok(Saved::Unchanged));
    assert_eq!(file(&keyring), before, "the daemon wrote its file");
    record.entry.expires = Some(1_800_000_000);
    assert_eq!(store.save(&record), Ok(Saved::Written));
    assert_eq!(store.save(&of(key("h", "ana"), "two")), Ok(Saved::Written));
    assert_ne!(file(&keyring), before);
    let found = store.find(&all("h")).expect("an answer");
    assert_eq!(logins(&found), [("ana", "two")]);
    assert_eq!(found.first().and_then(|record| record.entry.expires), None);
}

#[test]
fn a_hidden_record_stays_until_it_is_saved_shown_or_removed() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let mut store = keyring.open();
    let record = of(key("h", "ana"), "one");
    let mark = Hidden { at: 1_700_000_100, by: "git erase".into() };
    let hidden = |store: &mut dyn Store| {
        let found = store.find(&all("h")).expect("an answer");
        assert_eq!(logins(&found), [("ana", "one")]);
        found.into_iter().next().and_then(|record| record.entry.hidden)
    };
    store.save(&record).expect("saved");
    store.save(&of(Key { path: Some("p".into()), ..key("h2", "ana") }, "x")).expect("saved");
    store.mark(&record.entry.key, Some(&mark)).expect("marked");
    assert_eq!(hidden(&mut *store), Some(mark.clone()));
    store.mark(&record.entry.key, None).expect("shown");
    assert_eq!(hidden(&mut *store), None);
    store.mark(&record.entry.key, Some(&mark)).expect("marked");
    assert_eq!(store.save(&record), Ok(Saved::Written));
    assert_eq!(hidden(&mut *store), None);
    // What is not there can be marked and removed: the result is the same. Other paths stay.
    store.mark(&key("h2", "ana"), Some(&mark)).expect("nothing to mark");
    store.remove(&key("h2", "ana")).expect("nothing to remove");
    store.remove(&record.entry.key).expect("removed");
    store.remove(&record.entry.key).expect("nothing to remove");
    assert_eq!(store.find(&all("h")).map(|found| found.len()), Ok(0));
    assert_eq!(store.list(&all("h2")).map(|found| found.len()), Ok(1));
}

#[test]
fn items_of_others_are_never_answered_changed_or_removed() {
    let Some(keyring) = Keyring::unlocked() else { return };
    if program("secret-tool", "libsecret-tools").is_none() {
        return;
    }
    // git-credential-libsecret's, some of our attributes, and all of them under another schema.
    let theirs = [("protocol", "https"), ("server", "h"), ("user", "ana")];
    keyring.foreign(&theirs, "theirs");
    keyring.foreign(&ours("h", "git https://h", "ana")[1..], "no schema of ours");
    let mut partly = ours("h", "git https://h", "ana");
    partly.retain(|(name, _)| *name != "user");
    keyring.foreign(&partly, "password=partly\n");
    let mut other = ours("h", "git https://h", "ana");
    other.retain(|(name, _)| *name != "host");
    other.push(("host", "evil"));
    keyring.foreign(&other, "password=other host\n");

    let mut store = keyring.open();
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), []);
    store.save(&of(key("h", "ana"), "ours")).expect("saved");
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), [("ana", "ours")]);
    store.remove(&key("h", "ana")).expect("removed");
    let lookup = keyring.on_bus("secret-tool").arg("lookup").args(["server", "h"]).output();
    assert_eq!(lookup.success(), "theirs");
    let lookup = keyring.on_bus("secret-tool").args(["lookup", "host", "evil"]).output();
    assert_eq!(lookup.success(), "password=other host\n");
}

#[test]
fn of_two_items_with_one_key_the_newest_answers_and_a_save_leaves_one() {
    let Some(keyring) = Keyring::unlocked() else { return };
    if program("secret-tool", "libsecret-tools").is_none() {
        return;
    }
    let mut store = keyring.open();
    store.save(&of(key("h", "ana"), "newest")).expect("saved");
    for (extra, stored) in [("one", "1600000000"), ("two", "1500000000")] {
        let mut twin = ours("h", "git https://h", "ana");
        twin.extend([("extra", extra), ("stored", stored)]);
        keyring.foreign(&twin, &format!("password={extra}\n"));
    }
    assert_eq!(items(&keyring), 3);
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), [("ana", "newest")]);
    store.save(&of(key("h", "ana"), "newest")).expect("saved");
    assert_eq!(items(&keyring), 1);
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), [("ana", "newest")]);
}

#[test]
fn a_secret_that_is_not_in_our_form_names_its_host_and_not_its_value() {
    let Some(keyring) = Keyring::unlocked() else { return };
    if program("secret-tool", "libsecret-tools").is_none() {
        return;
    }
    keyring.foreign(&ours("h", "git https://h", "ana"), "hunter2");
    let error = keyring.open().find(&all("h")).err();
    let Some(Error::Damaged(text)) = error else { panic!("{error:?}") };
    assert!(text.contains("https://h") && !text.contains("hunter2"), "{text}");
}

#[test]
fn writers_at_once_lose_nothing_and_leave_one_item_a_key() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let pid = keyring.pid();
    thread::scope(|scope| {
        for writer in 0..64 {
            let mut store = keyring.open();
            scope.spawn(move || {
                let host = if writer % 2 == 0 { "same".into() } else { format!("h{writer}") };
                let record = of(key(&host, "ana"), &format!("password {writer}"));
                assert_eq!(store.save(&record), Ok(Saved::Written));
            });
        }
    });
    let mut store = keyring.open();
    for writer in (1..64).step_by(2) {
        let found = store.find(&all(&format!("h{writer}"))).expect("an answer");
        assert_eq!(logins(&found), [("ana", format!("password {writer}").as_str())]);
    }
    assert_eq!(store.find(&all("same")).map(|found| found.len()), Ok(1));
    assert_eq!(items(&keyring), 33);
    assert_eq!(keyring.pid(), pid);
}

#[test]
fn readers_at_once_all_get_their_answer_and_leave_the_daemon_alive() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let pid = keyring.pid();
    keyring.open().save(&of(key("h", "ana"), "pw")).expect("saved");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    // A connection each, as a process each has.
                    let found = keyring.open().find(&all("h")).expect("an answer");
                    assert_eq!(logins(&found), [("ana", "pw")]);
                }
            });
        }
    });
    assert_eq!(keyring.pid(), pid);
}

#[test]
fn a_locked_keyring_is_said_to_be_locked_at_once_and_asks_nobody() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let record = of(key("h", "ana"), "pw");
    let mut store = keyring.open();
    store.save(&record).expect("saved");
    keyring.lock();
    let monitor = keyring.monitor();
    for mut store in [store, keyring.open()] {
        let (answer, took) = quickest(|| store.find(&all("h")).err());
        assert_eq!(answer, Some(Error::Locked));
        assert!(took < Duration::from_millis(100), "{took:?}");
        assert_eq!(store.find(&all("elsewhere")).err(), Some(Error::Locked));
        assert_eq!(store.list(&Query::all(Kind::Git)), Err(Error::Locked));
        assert_eq!(store.list(&Query::all(Kind::Proxy)), Err(Error::Locked));
        assert_eq!(store.save(&record), Err(Error::Locked));
        assert_eq!(store.save(&of(key("new", "ana"), "pw")), Err(Error::Locked));
        assert_eq!(store.mark(&record.entry.key, None), Err(Error::Locked));
        assert_eq!(store.remove(&record.entry.key), Err(Error::Locked));
    }
    let seen = monitor.calls();
    assert!(seen.len() >= 16, "{seen:?}");
    for call in seen {
        let asks_nobody = ["SearchItems", "ReadAlias", "Get"].contains(&call.as_str());
        assert!(asks_nobody, "{call} was called");
    }
}

#[test]
fn a_read_searches_first_and_a_list_opens_no_session() {
    let Some(keyring) = Keyring::unlocked() else { return };
    keyring.open().save(&of(key("h", "ana"), "pw")).expect("saved");
    let monitor = keyring.monitor();
    keyring.open().list(&all("h")).expect("a list");
    keyring.open().find(&all("h")).expect("an answer");
    assert_eq!(
        monitor.calls(),
        ["SearchItems", "Get", "SearchItems", "OpenSession", "Get", "GetSecrets"]
    );
}

#[test]
fn an_account_without_a_keyring_is_said_to_have_none() {
    let Some(keyring) = Keyring::activatable_only() else { return };
    let mut store = keyring.open();
    assert_eq!(store.find(&all("h")).err(), Some(Error::NoCollection));
    assert_eq!(store.save(&of(key("h", "ana"), "pw")), Err(Error::NoCollection));
    assert!(keyring.pid() > 0, "the bus started the daemon");
}

#[test]
fn a_daemon_that_was_restarted_is_asked_again() {
    let Some(mut keyring) = Keyring::unlocked() else { return };
    let mut store = keyring.open();
    store.save(&of(key("h", "ana"), "pw")).expect("saved");
    keyring.kill();
    let error = store.find(&all("h")).err();
    assert!(matches!(error, Some(Error::NoService(_))), "{error:?}");
    keyring.start();
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), [("ana", "pw")]);
}

#[test]
fn a_daemon_that_dies_in_the_middle_is_not_taken_for_an_empty_keyring() {
    let Some(keyring) = Keyring::unlocked() else { return };
    keyring.open().save(&of(key("h", "ana"), "pw")).expect("saved");
    keyring.freeze();
    let before = keyring.clients();
    let error = thread::scope(|scope| {
        let asking = scope.spawn(|| keyring.open().find(&all("h")).err());
        // The question is with the daemon, which cannot answer.
        eventually("the question is asked", || (keyring.clients() > before).then_some(()));
        keyring.kill();
        asking.join().expect("no panic")
    });
    assert!(matches!(error, Some(Error::Service(_))), "{error:?}");
}

#[test]
fn a_frozen_daemon_is_silent_within_two_seconds_and_answers_again_later() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let mut store = keyring.open();
    store.save(&of(key("h", "ana"), "pw")).expect("saved");
    keyring.freeze();
    for store in [&mut store, &mut keyring.open()] {
        let start = Instant::now();
        let error = store.find(&all("h")).err();
        assert!(matches!(error, Some(Error::Silent(1700..2000))), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    keyring.thaw();
    assert_eq!(logins(&store.find(&all("h")).expect("an answer")), [("ana", "pw")]);
}

#[test]
fn a_bus_without_the_service_is_no_service_at_once() {
    let Some(keyring) = Keyring::absent() else { return };
    let (error, took) = quickest(|| keyring.open().find(&all("h")).err());
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert!(matches!(error, Some(Error::NoService(_))), "{error:?}");
}

#[test]
fn other_programs_can_use_the_client_through_keyring_core() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let env = Env::of(&[("DBUS_SESSION_BUS_ADDRESS", &keyring.address())]);
    let store: Arc<SecretServiceKeyring> = SecretServiceKeyring::new(&env);
    let entry = store.build("my service", "ana", None).expect("an entry");
    assert!(matches!(entry.get_password(), Err(KeyringError::NoEntry)));
    assert!(matches!(entry.delete_credential(), Err(KeyringError::NoEntry)));
    entry.set_password("one").expect("set");
    entry.set_password("two").expect("set");
    entry.set_secret(b"\0\xff").expect("set");
    assert_eq!(entry.get_secret().expect("a secret"), b"\0\xff");
    let wrapper = entry.get_credential().expect("a wrapper");
    assert_eq!(wrapper.get_secret().expect("a secret"), b"\0\xff");
    assert_eq!(entry.get_attributes().expect("attributes")["username"], "ana");
    let bob = store.build("my service", "bob", None).expect("an entry");
    bob.set_password("three").expect("set");
    let search = |spec: &[(&'static str, &'static str)]| {
        store.search(&spec.iter().copied().collect::<HashMap<_, _>>()).expect("entries").len()
    };
    assert_eq!(search(&[("service", "my service")]), 2);
    assert_eq!(search(&[("service", "my service"), ("user", "bob")]), 1);
    assert_eq!(search(&[("service", "other")]), 0);
    let long = "x".repeat(70_000);
    assert!(matches!(entry.set_secret(long.as_bytes()), Err(KeyringError::TooLong(_, 65_536))));
    entry.delete_credential().expect("deleted");
    assert!(matches!(entry.get_password(), Err(KeyringError::NoEntry)));
    keyring.lock();
    assert!(matches!(bob.get_password(), Err(KeyringError::NoStorageAccess(_))));
    assert!(matches!(entry.set_password("x"), Err(KeyringError::NoStorageAccess(_))));
}

/// Returns how many items with our schema the keyring holds.
fn items(keyring: &Keyring) -> usize {
    let found = keyring
        .secrets("org.freedesktop.Secret.Service.SearchItems")
        .arg("dict:string:string:xdg:schema,dev.gocred.Secret")
        .output()
        .success();
    found.matches("object path").count()
}
