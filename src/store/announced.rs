//! A store that says when it was changed: the stamp of the index is another one then, and who remembers
//! answers (the agent, a receipt of git's) asks anew.

use std::path::PathBuf;

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Kind, Query, Record},
        gitproto::receipt::Source,
    },
    store::{Error, Saved, Store, index},
};

/// A store, and the state folder of the index.
pub(super) struct Announced {
    pub(super) inner: Box<dyn Store>,
    pub(super) state: PathBuf,
}

impl Announced {
    fn announce(&self, kind: Kind) {
        // Nobody remembers keys of our own. What is not announced is found out a little later.
        if kind != Kind::Internal {
            let _ = index::touch(&self.state);
        }
    }
}

impl Store for Announced {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        self.inner.list(query)
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        self.inner.find(query)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        let saved = self.inner.save(record);
        // After an error it may have been written nevertheless.
        if saved != Ok(Saved::Unchanged) {
            self.announce(record.entry.key.kind);
        }
        saved
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        let marked = self.inner.mark(key, hidden);
        self.announce(key.kind);
        marked
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        let removed = self.inner.remove(key);
        self.announce(key.kind);
        removed
    }

    fn source(&self) -> Source {
        self.inner.source()
    }

    fn damage(&mut self) -> Option<Error> {
        self.inner.damage()
    }
}
