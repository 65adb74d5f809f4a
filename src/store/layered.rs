//! The keyring, with the encrypted file beside it for secrets that are too large for a keyring.
//!
//! The keyring keeps an item for such a secret too, which says `in=file`: what there is, and whether it
//! is hidden, is always read there. The file is made when it is first needed, and the keyring opens it.

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Query, Record},
        gitproto::receipt::Source,
    },
    store::{
        Desk, Error, Saved, Store,
        file::{FileStore, Standing},
        item,
        keys::NewKey,
    },
};

/// Both.
pub(super) struct Layered {
    main: Box<dyn Store>,
    file: FileStore,
}

impl Layered {
    /// Takes the keyring; nothing is opened.
    pub(super) fn new(main: Box<dyn Store>, desk: &Desk<'_>) -> Self {
        Self { main, file: FileStore::new(desk) }
    }

    /// Puts the secret of a record in its place that is in the file.
    fn whole(&mut self, mut record: Record) -> Result<Record, Error> {
        if !item::is_elsewhere(&record.secrets) {
            return Ok(record);
        }
        let key = &record.entry.key;
        let Key { kind, origin, path, user } = key.clone();
        let found =
            self.file.find(&Query { kind, origin: Some(origin), path, user: Some(user) })?;
        let Some(held) = found.into_iter().find(|held| held.entry.key == *key) else {
            let (origin, file) = (&key.origin, self.file.path());
            return Err(Error::Damaged(format!(
                "the secret of {origin} is too large for the keyring, and {} does not have it",
                file.display()
            )));
        };
        record.entry.expires = held.entry.expires;
        record.secrets = held.secrets;
        Ok(record)
    }

    /// Keeps a record in the file, and in the keyring that it is there.
    fn save_in_file(&mut self, record: &Record) -> Result<Saved, Error> {
        if matches!(self.file.standing()?, Standing::Missing | Standing::Creatable) {
            self.file.add_key(&NewKey::Keyring)?;
        }
        let held = self.file.save(record)?;
        let entry = record.entry.clone();
        let told = self.main.save(&Record { entry, secrets: item::elsewhere() })?;
        Ok(if (held, told) == (Saved::Unchanged, Saved::Unchanged) { held } else { Saved::Written })
    }

    /// Returns whether the secret of a record is in the file. A file that has nothing of the keyring's
    /// is not opened.
    fn is_in_file(&mut self, key: &Key) -> bool {
        if !self.file.path().exists() {
            return false;
        }
        let Key { kind, origin, path, user } = key.clone();
        let query = Query { kind, origin: Some(origin), path, user: Some(user) };
        let found = self.main.find(&query).unwrap_or_default();
        let mut same = found.iter().filter(|record| record.entry.key == *key);
        same.any(|record| item::is_elsewhere(&record.secrets))
    }

    /// Does something to the keyring, and takes what is left of a record out of the file then. What
    /// cannot be opened is left there, sealed.
    fn without_file<T>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut dyn Store) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let was_in_file = self.is_in_file(key);
        let changed = change(&mut *self.main)?;
        if was_in_file {
            let _ = self.file.remove(key);
        }
        Ok(changed)
    }
}

impl Store for Layered {
    fn name(&self) -> &'static str {
        self.main.name()
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        self.main.list(query)
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let found = self.main.find(query)?;
        found.into_iter().map(|record| self.whole(record)).collect()
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        let Record { entry, secrets } = record;
        if item::is_elsewhere(secrets) {
            // It would be read as if its secret were in the file.
            let what = "this is no scheme of HTTP, and a mark of gocred's own";
            return Err(Error::Refused(what.to_owned()));
        }
        if item::is_too_long(secrets, entry.expires) {
            return self.save_in_file(record);
        }
        self.without_file(&entry.key, |main| main.save(record))
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        self.main.mark(key, hidden)
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.without_file(key, |main| main.remove(key))
    }

    fn source(&self) -> Source {
        self.main.source()
    }

    fn damage(&mut self) -> Option<Error> {
        self.main.damage().or_else(|| self.file.damage())
    }
}

#[cfg(test)]
mod tests {
    use super::{Layered, Record, Saved, Store, item};
    use crate::{
        core::{
            config::Config,
            credential::{Hidden, Key, Kind, Proof, Query, Secrets},
            origin::Origin,
            secret::ExposeSecret,
        },
        store::{self, Desk, file::FileStore, memory::Memory},
        sys::{env::Env, paths::Paths},
    };

    fn record(secret: String) -> Record {
        let origin = Origin::new("https", "h").unwrap();
        let key = Key { kind: Kind::Git, origin, path: None, user: "ana".into() };
        let secrets = Secrets::of(Proof::Password(secret.into()));
        store::record(key, secrets, None, 1)
    }

    #[test]
    fn what_is_too_large_is_in_the_file_and_the_rest_in_the_keyring() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::of(&[("HOME", home.path().to_str().unwrap())]);
        let (paths, config) = (Paths::resolve(&env).unwrap(), Config::default());
        let desk = Desk { env: &env, paths: &paths, config: &config };
        // The keyring of this test opens nothing, so that a passphrase does.
        let typed = || FileStore::new(&desk).typed("correct horse".into());
        typed().create().unwrap();
        let main: Box<dyn Store> = Box::new(Memory::default());
        let mut store = Layered { main, file: typed() };
        let (small, large) = (record("small".into()), record("x".repeat(70_000)));
        let query = Query::all(Kind::Git);
        let length = |store: &mut Layered| {
            let found = store.find(&query).unwrap();
            let [Record { secrets: Secrets { proof: Proof::Password(text), .. }, .. }] = &found[..]
            else {
                panic!("one password")
            };
            text.expose_secret().len()
        };
        assert_eq!(store.save(&large), Ok(Saved::Written));
        assert_eq!(store.save(&large), Ok(Saved::Unchanged));
        assert!(item::is_elsewhere(&store.main.find(&query).unwrap()[0].secrets));
        assert_eq!(length(&mut store), 70_000);
        let key = &large.entry.key;
        store.mark(key, Some(&Hidden { at: 1, by: "git erase".into() })).unwrap();
        assert!(store.find(&query).unwrap()[0].entry.hidden.is_some());
        assert_eq!(store.save(&small), Ok(Saved::Written));
        assert_eq!(length(&mut store), 5);
        assert_eq!(typed().find(&query).unwrap().len(), 0, "nothing old stays in the file");
        store.save(&large).unwrap();
        typed().remove(key).unwrap();
        assert_eq!(store.find(&query).unwrap_err().code(), "K08", "it is never taken for missing");
        store.remove(key).unwrap();
        assert_eq!(store.find(&query).unwrap().len(), 0);
        let mark = Record { secrets: item::elsewhere(), ..small };
        assert_eq!(store.save(&mark).unwrap_err().code(), "K20");
    }
}
