//! A store whose answers are remembered, for whom nobody needs to know of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    agent::cache::{Cache, Now, Stamp},
    core::{
        credential::{Entry, Hidden, Key, Query, Record},
        gitproto::receipt::Source,
    },
    store::{Error, Saved, Store},
    sys::clock,
};

/// A store, and what it has answered.
pub struct Cached<'a> {
    pub(super) cache: &'a Mutex<Cache>,
    pub(super) inner: &'a mut dyn Store,
    /// Read before anything is asked: what changes meanwhile is then not taken for known.
    pub(super) stamp: Stamp,
    /// Whether there was nobody to ask.
    pub(super) is_absent: bool,
}

impl Cached<'_> {
    /// Returns whether there was no service to ask. Who asks the agent may reach one: started elsewhere,
    /// it may know another session bus.
    pub fn is_absent(&self) -> bool {
        self.is_absent
    }

    fn noted<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.is_absent |= matches!(result, Err(Error::NoService(_)));
        result
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn now() -> Now {
    Now { running: clock::running(), calendar: clock::now() }
}

impl Store for Cached<'_> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        let found = self.inner.list(query);
        self.noted(found)
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let known = self.cache().find(query, &self.stamp, now());
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.inner.find(query);
        let found = self.noted(found)?;
        self.cache().put(query, &found, &self.stamp, now());
        Ok(found)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        let result = self.inner.save(record);
        // Also after a failure: it may have been done nevertheless.
        self.cache().clear();
        self.noted(result)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        let result = self.inner.mark(key, hidden);
        // Also after a failure: it may have been done nevertheless.
        self.cache().clear();
        self.noted(result)
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        let result = self.inner.remove(key);
        // Also after a failure: it may have been done nevertheless.
        self.cache().clear();
        self.noted(result)
    }

    fn source(&self) -> Source {
        self.inner.source()
    }

    fn damage(&mut self) -> Option<Error> {
        self.inner.damage()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{Cached, Stamp};
    use crate::{
        agent::cache::Cache,
        core::{
            credential::{Entry, Key, Kind, Proof, Query, Record, Secrets},
            origin::Origin,
        },
        store::{Store, memory::Memory},
    };

    #[test]
    fn a_store_is_asked_once_until_something_is_changed() {
        let cache = Mutex::new(Cache::new().unwrap());
        let mut memory = Memory::default();
        let origin = Origin::new("https", "h").unwrap();
        let query = Query::origin(Kind::Git, origin.clone());
        let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
        let record = |secret: &str| Record {
            entry: Entry { key: key.clone(), expires: None, stored: 1, hidden: None },
            secrets: Secrets::of(Proof::Password(secret.into())),
        };
        let mut ask = |change: &dyn Fn(&mut Cached<'_>), stamp: &[u8]| {
            let stamp = Stamp(stamp.to_vec());
            let mut cached = Cached { cache: &cache, inner: &mut memory, stamp, is_absent: false };
            change(&mut cached);
            let found = cached.find(&query).unwrap().len();
            (found, memory.reads)
        };
        assert_eq!(ask(&|_| (), b"1"), (0, 1));
        assert_eq!(ask(&|_| (), b"1"), (0, 2), "what is not there is looked for again");
        assert_eq!(
            ask(&|store| assert!(store.save(&record("a")).is_ok()), b"1"),
            (1, 4),
            "`save` reads, too"
        );
        for _ in 0..9 {
            assert_eq!(ask(&|_| (), b"1"), (1, 4));
        }
        assert_eq!(ask(&|_| (), b"2"), (1, 5), "somebody else has changed it");
        assert_eq!(ask(&|store| store.mark(&key, None).unwrap(), b"2"), (1, 6));
        assert_eq!(ask(&|store| store.remove(&key).unwrap(), b"2"), (0, 7));
    }
}
