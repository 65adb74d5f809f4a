//! A store that keeps nothing here: what is asked for is fetched by the sources of the configuration, and
//! no file and no keyring is opened.

use crate::{
    core::credential::{Entry, Hidden, Key, Query, Record},
    store::{Error, Saved, Store},
};

/// Has nothing, and takes nothing.
#[derive(Debug)]
pub(super) struct Elsewhere;

const READ_ONLY: &str =
    "secrets are kept in OpenBao here (`openbao` is the chosen store); put it there: bao kv put";

impl Store for Elsewhere {
    fn name(&self) -> &'static str {
        "openbao"
    }

    fn list(&mut self, _query: &Query) -> Result<Vec<Entry>, Error> {
        Ok(Vec::new())
    }

    fn find(&mut self, _query: &Query) -> Result<Vec<Record>, Error> {
        Ok(Vec::new())
    }

    fn save(&mut self, _record: &Record) -> Result<Saved, Error> {
        Err(Error::ReadOnly(READ_ONLY))
    }

    fn mark(&mut self, _key: &Key, _hidden: Option<&Hidden>) -> Result<(), Error> {
        Err(Error::ReadOnly(READ_ONLY))
    }

    fn remove(&mut self, _key: &Key) -> Result<(), Error> {
        Err(Error::ReadOnly(READ_ONLY))
    }
}
