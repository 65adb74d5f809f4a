//! A store that was chosen and cannot be used: every call answers why. No other store takes its place.

use crate::{
    core::credential::{Entry, Hidden, Key, Query, Record},
    store::{Error, Saved, Store},
};

/// Answers with its error.
#[derive(Debug)]
pub(crate) struct Unusable(pub(crate) Error);

impl Store for Unusable {
    fn name(&self) -> &'static str {
        "none"
    }

    fn list(&mut self, _query: &Query) -> Result<Vec<Entry>, Error> {
        Err(self.0.clone())
    }

    fn find(&mut self, _query: &Query) -> Result<Vec<Record>, Error> {
        Err(self.0.clone())
    }

    fn save(&mut self, _record: &Record) -> Result<Saved, Error> {
        Err(self.0.clone())
    }

    fn mark(&mut self, _key: &Key, _hidden: Option<&Hidden>) -> Result<(), Error> {
        Err(self.0.clone())
    }

    fn remove(&mut self, _key: &Key) -> Result<(), Error> {
        Err(self.0.clone())
    }
}
