use std::{fs, path::PathBuf};

use super::{FileStore, Standing};
use crate::{
    core::{
        config::Config,
        credential::{Entry, Hidden, Key, Kind, Proof, Query, Record, Secrets},
        origin::Origin,
        secret::ExposeSecret,
        vault::{
            SealKey, body,
            format::{self, Header, Sealed},
            wrap::{self, Costs, Label, Wrap},
        },
    },
    store::{Desk, Error, Saved, Store},
    sys::{env::Env, files, paths::Paths},
};

/// A home whose passphrase file says `x`.
struct World {
    home: tempfile::TempDir,
    env: Env,
    paths: Paths,
    config: Config,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let passphrase = home.path().join("passphrase");
        files::write_private(&passphrase, b"x\n").unwrap();
        let env = Env::of(&[
            ("HOME", home.path().to_str().unwrap()),
            ("GOCRED_PASSPHRASE_FILE", passphrase.to_str().unwrap()),
        ]);
        let paths = Paths::resolve(&env).unwrap();
        Self { home, env, paths, config: Config::default() }
    }

    /// Starts with a file whose passphrase is cheap to try, and `count` records in it.
    fn with(count: u64) -> Self {
        let world = Self::new();
        let (id, data_key) = ([7; 16], SealKey::copied(&[8; 32]).unwrap());
        let costs: Vec<u8> = [&[9; 16][..], &[0, 0, 0, 64, 0, 0, 0, 1, 0, 0, 0, 1]].concat();
        let key = Costs::parse(&costs).unwrap().key(b"x").unwrap();
        let label =
            Label { kind: wrap::Kind::Passphrase, name: "passphrase".to_owned(), params: costs };
        let wrap = Wrap::seal(label, &key, &data_key, &id, [1; 24]).unwrap();
        let header = Header { generation: 1, id, nonce: [2; 24], wraps: vec![wrap] };
        let file = format::encode(&header, &data_key, body::encode(&[])).unwrap();
        files::write_private(&world.file(), &file).unwrap();
        for at in 1..=count {
            assert_eq!(world.store().save(&record("a", at)), Ok(Saved::Written));
        }
        world
    }

    fn store(&self) -> FileStore {
        FileStore::new(&Desk { env: &self.env, paths: &self.paths, config: &self.config })
    }

    fn file(&self) -> PathBuf {
        self.paths.vault.clone()
    }

    fn previous(&self) -> PathBuf {
        self.paths.vault.with_extension("prev")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.file().parent().unwrap()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn record(user: &str, secret: u64) -> Record {
    let origin = Origin::new("https", "h").unwrap();
    let key = Key { kind: Kind::Git, origin, path: None, user: user.to_owned() };
    Record {
        entry: Entry { key, expires: None, stored: 5, hidden: None },
        secrets: Secrets::of(Proof::Password(secret.to_string().into())),
    }
}

fn secrets(store: &mut FileStore) -> Result<Vec<String>, Error> {
    let shown = |record: Record| match record.secrets.proof {
        Proof::Password(password) => password.expose_secret().to_owned(),
        Proof::Encoded { .. } => unreachable!(),
    };
    Ok(store.find(&Query::all(Kind::Git))?.into_iter().map(shown).collect())
}

#[test]
fn no_file_is_an_empty_store_and_reading_makes_none() {
    let world = World::new();
    let mut store = world.store();
    assert_eq!(secrets(&mut store), Ok(Vec::new()));
    assert_eq!(store.standing(), Ok(Standing::Creatable));
    assert_eq!(store.remove(&record("a", 1).entry.key), Ok(()));
    assert!(!world.file().exists());
    store.create().unwrap();
    assert_eq!((store.standing(), secrets(&mut store)), (Ok(Standing::Open), Ok(Vec::new())));
}

#[test]
fn a_record_is_written_once_replaced_marked_and_removed() {
    let world = World::with(1);
    let mut store = world.store();
    let key = record("a", 1).entry.key;
    assert_eq!(store.save(&record("a", 1)), Ok(Saved::Unchanged));
    assert_eq!(store.save(&record("b", 2)), Ok(Saved::Written));
    assert_eq!(secrets(&mut world.store()), Ok(vec!["1".to_owned(), "2".to_owned()]));
    let hidden = Hidden { at: 9, by: "git erase".to_owned() };
    store.mark(&key, Some(&hidden)).unwrap();
    let entries = world.store().list(&Query::all(Kind::Git)).unwrap();
    assert_eq!(entries[0].hidden.as_ref(), Some(&hidden));
    assert_eq!(store.save(&record("a", 1)), Ok(Saved::Written), "it un-hides");
    store.remove(&key).unwrap();
    assert_eq!(secrets(&mut world.store()), Ok(vec!["2".to_owned()]));
    assert_eq!(world.names(), ["vault", "vault.lock", "vault.prev"]);
}

#[test]
fn whatever_bit_flips_the_generation_before_is_put_back_and_told_or_nothing_is_touched() {
    let world = World::with(2);
    let (now, before) = (fs::read(world.file()).unwrap(), fs::read(world.previous()).unwrap());
    let (mut restored, mut newer) = (0, 0);
    // Each of the later ones costs a passphrase's key or two: there, a bit of each byte will do.
    for bit in (0..now.len() * 8).filter(|bit| bit / 8 < 70 || bit % 8 == bit / 8 % 8) {
        let mut changed = now.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(world.file(), &changed).unwrap();
        let mut store = world.store();
        match secrets(&mut store) {
            Ok(found) => {
                assert_eq!(found, ["1"], "bit {bit}");
                let damage = store.damage().expect("it is told");
                assert_eq!(damage.code(), "K08");
                assert!(damage.to_string().contains("vault.damaged-"), "{damage}");
                assert_eq!(store.damage(), None);
                assert!(fs::read(world.file()).unwrap() == before, "bit {bit}");
                restored += 1;
            }
            Err(Error::ReadOnly(_)) => {
                assert!(fs::read(world.file()).unwrap() == changed, "bit {bit}");
                newer += 1;
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
        for name in world.names().iter().filter(|name| name.contains("damaged")) {
            let kept = world.file().with_file_name(name);
            assert!(fs::read(&kept).unwrap() == changed, "bit {bit}");
            fs::remove_file(kept).unwrap();
        }
    }
    assert!(restored > 500, "{restored}");
    // `gocredV3`, for example.
    assert!((1..8).contains(&newer), "{newer}");
}

#[test]
fn a_lost_file_beside_the_generation_before_is_put_back() {
    let world = World::with(2);
    fs::remove_file(world.file()).unwrap();
    let mut store = world.store();
    assert_eq!(secrets(&mut store), Ok(vec!["1".to_owned()]));
    assert!(store.damage().unwrap().to_string().contains("it is missing"));
    assert_eq!(secrets(&mut world.store()), Ok(vec!["1".to_owned()]));
    assert_eq!(world.store().damage(), None);
}

#[test]
fn where_both_are_damaged_that_is_the_error_and_both_stay() {
    let world = World::with(2);
    for file in [world.file(), world.previous()] {
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let damaged = fs::read(world.file()).unwrap();
    for error in [
        secrets(&mut world.store()).unwrap_err(),
        world.store().save(&record("a", 9)).unwrap_err(),
        world.store().remove(&record("a", 9).entry.key).unwrap_err(),
    ] {
        assert_eq!(error.code(), "K08");
    }
    assert!(fs::read(world.file()).unwrap() == damaged);
    fs::remove_file(world.previous()).unwrap();
    let error = secrets(&mut world.store()).unwrap_err();
    assert!(error.to_string().contains("no earlier generation"), "{error}");
}

#[test]
fn an_older_file_is_told_and_used_until_the_next_write() {
    let world = World::with(1);
    let older = fs::read(world.file()).unwrap();
    world.store().save(&record("a", 2)).unwrap();
    fs::write(world.file(), older).unwrap();
    let mut store = world.store();
    assert_eq!(secrets(&mut store), Ok(vec!["1".to_owned()]));
    assert_eq!(store.damage(), Some(Error::Rollback { seen: 3, found: 2 }));
    store.save(&record("a", 3)).unwrap();
    let file = fs::read(world.file()).unwrap();
    assert_eq!(Sealed::parse(&file).unwrap().header.generation, 4);
    let mut store = world.store();
    assert_eq!((secrets(&mut store), store.damage()), (Ok(vec!["3".to_owned()]), None));
}

#[test]
fn another_passphrase_is_wrong_and_none_is_closed() {
    let world = World::with(1);
    files::write_private(&world.home.path().join("passphrase"), b"y").unwrap();
    assert!(matches!(secrets(&mut world.store()), Err(Error::Refused(_))));
    assert_eq!(secrets(&mut world.store().typed("x".into())), Ok(vec!["1".to_owned()]));
    let env = Env::of(&[]);
    let desk = Desk { env: &env, paths: &world.paths, config: &world.config };
    assert_eq!(FileStore::new(&desk).standing(), Ok(Standing::Closed));
    assert_eq!(FileStore::new(&desk).save(&record("b", 1)).unwrap_err().code(), "K19");
}

#[test]
fn what_a_killed_writer_left_is_swept_by_the_next() {
    let world = World::with(1);
    for name in ["vault.0123456789abcdef.tmp", "vault.prev.0123456789abcdef.tmp"] {
        fs::write(world.file().with_file_name(name), "half").unwrap();
    }
    world.store().save(&record("b", 1)).unwrap();
    assert_eq!(world.names(), ["vault", "vault.lock", "vault.prev"]);
}

#[test]
fn the_configuration_says_where_it_is() {
    let mut world = World::new();
    let place = world.home.path().join("elsewhere/secrets");
    world.config = Config::parse(&format!("[store]\nfile = \"{}\"", place.display())).unwrap();
    assert_eq!(world.store().path(), place);
}
