//! Stores that keep all records as one piece: what a change does to the list, and who has only that.

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Query, Record, Secrets},
        gitproto::receipt::Source,
        secret::{SecretString, same},
    },
    store::{Error, Saved, Store},
};

/// A place that is read and replaced as a whole.
pub(super) trait Piece: Send {
    /// What `status` shows.
    const NAME: &'static str;
    /// What answers are told as.
    const SOURCE: Source;

    /// Returns all records.
    fn read(&mut self) -> Result<Vec<Record>, Error>;

    /// Changes them, alone among all writers. Where `change` changed nothing, nothing is written.
    fn change(&mut self, change: &dyn Fn(&mut Vec<Record>) -> Saved) -> Result<Saved, Error>;

    /// Returns what is to be told of it, once.
    fn damage(&mut self) -> Option<Error> {
        None
    }
}

/// Such a place, as a store.
pub(super) struct Whole<P>(pub(super) P);

impl<P: Piece> Store for Whole<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        Ok(self.find(query)?.into_iter().map(|record| record.entry).collect())
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let mut records = self.0.read()?;
        records.retain(|record| query.matches(&record.entry.key));
        Ok(records)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        self.0.change(&|records| save(records, record))
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        self.0.change(&|records| mark(records, key, hidden)).map(drop)
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.0.change(&|records| remove(records, key)).map(drop)
    }

    fn source(&self) -> Source {
        P::SOURCE
    }

    fn damage(&mut self) -> Option<Error> {
        self.0.damage()
    }
}

/// Puts a record in the place of what was under its key, unless it is the same and visible.
pub(super) fn save(records: &mut Vec<Record>, record: &Record) -> Saved {
    if records.iter().any(|old| is_same(old, record)) {
        return Saved::Unchanged;
    }
    records.retain(|old| old.entry.key != record.entry.key);
    records.push(record.clone());
    Saved::Written
}

/// Hides a record, or shows it again.
pub(super) fn mark(records: &mut [Record], key: &Key, hidden: Option<&Hidden>) -> Saved {
    let mut saved = Saved::Unchanged;
    for record in records.iter_mut().filter(|record| record.entry.key == *key) {
        if record.entry.hidden.as_ref() != hidden {
            record.entry.hidden = hidden.cloned();
            saved = Saved::Written;
        }
    }
    saved
}

/// Takes a record out.
pub(super) fn remove(records: &mut Vec<Record>, key: &Key) -> Saved {
    let before = records.len();
    records.retain(|record| record.entry.key != *key);
    if records.len() == before { Saved::Unchanged } else { Saved::Written }
}

/// Returns whether saving a record over another would change nothing.
pub(crate) fn is_same(old: &Record, new: &Record) -> bool {
    let equal = |old: &Option<SecretString>, new: &Option<SecretString>| match (old, new) {
        (Some(old), Some(new)) => same(old, new),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let Secrets { proof, refresh_token, session } = &new.secrets;
    old.entry.key == new.entry.key
        && old.entry.hidden.is_none()
        && old.entry.expires == new.entry.expires
        && old.secrets.proof.same(proof)
        && equal(&old.secrets.refresh_token, refresh_token)
        && equal(&old.secrets.session, session)
}
