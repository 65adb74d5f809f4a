//! A store in memory, for unit tests: it counts what it is asked, and fails when it is told to.

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Query, Record, Secrets},
        secret::{SecretString, same},
    },
    store::{Error, Saved, Store},
};

/// Keeps records in a list.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) records: Vec<Record>,
    /// What every call answers, if set.
    pub(crate) trouble: Option<Error>,
    /// What `save` answers after it wrote, if set.
    pub(crate) late: Option<Error>,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

impl Memory {
    pub(crate) fn of(records: Vec<Record>) -> Self {
        Self { records, ..Self::default() }
    }

    fn read(&mut self) -> Result<(), Error> {
        self.reads += 1;
        self.trouble.clone().map_or(Ok(()), Err)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.writes += 1;
        self.trouble.clone().map_or(Ok(()), Err)
    }
}

impl Store for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        self.read()?;
        let entries = self.records.iter().map(|record| record.entry.clone());
        Ok(entries.filter(|entry| query.matches(&entry.key)).collect())
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        self.read()?;
        let records = self.records.iter().filter(|record| query.matches(&record.entry.key));
        Ok(records.cloned().collect())
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        self.read()?;
        let is_same = |old: &Record| {
            old.entry.key == record.entry.key
                && old.entry.hidden.is_none()
                && old.entry.expires == record.entry.expires
                && same_secrets(&old.secrets, &record.secrets)
        };
        if self.records.iter().any(is_same) {
            return Ok(Saved::Unchanged);
        }
        self.write()?;
        self.records.retain(|old| old.entry.key != record.entry.key);
        self.records.push(record.clone());
        self.late.clone().map_or(Ok(Saved::Written), Err)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        self.write()?;
        for record in self.records.iter_mut().filter(|record| record.entry.key == *key) {
            record.entry.hidden = hidden.cloned();
        }
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.write()?;
        self.records.retain(|record| record.entry.key != *key);
        Ok(())
    }
}

fn same_secrets(left: &Secrets, right: &Secrets) -> bool {
    let same = |left: &Option<SecretString>, right: &Option<SecretString>| match (left, right) {
        (Some(left), Some(right)) => same(left, right),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    left.proof.same(&right.proof)
        && same(&left.refresh_token, &right.refresh_token)
        && same(&left.session, &right.session)
}
