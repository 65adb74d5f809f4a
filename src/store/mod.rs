//! Layer 2: where secrets are kept. Synchronous; errors name the consequence for the caller.

#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod conversation;
#[cfg(feature = "full")]
pub mod guard;
pub mod index;
mod item;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(any(target_os = "macos", target_os = "windows", test))]
pub mod native;
pub mod netrc;
#[cfg(target_os = "linux")]
mod secret_client;
#[cfg(target_os = "linux")]
pub mod secret_service;
#[cfg(target_os = "linux")]
pub mod secret_service_keyring;
#[cfg(feature = "full")]
pub mod strongest;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{
    core::credential::{Entry, Hidden, Key, Query, Record, Secrets, UnixTime},
    sys::env::Env,
};

/// A place that keeps secrets and can change them.
///
/// Every call ends within the store's time limits; none of them prompts.
pub trait Store: Send {
    /// Returns the name that `status` shows, such as `gnome-keyring`.
    fn name(&self) -> &'static str;

    /// Returns what matches, without releasing a secret, hidden entries included.
    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error>;

    /// Returns what matches, with secrets, hidden entries included, in no particular order.
    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error>;

    /// Writes a record under its key, replacing what was there and un-hiding it.
    /// An identical visible record is left alone: nothing is written.
    fn save(&mut self, record: &Record) -> Result<Saved, Error>;

    /// Sets or clears the mark that keeps a record from being answered.
    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error>;

    /// Removes a record for good.
    fn remove(&mut self, key: &Key) -> Result<(), Error>;
}

/// What [`Store::save`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The same secret was there, visible; nothing was written.
    Unchanged,
    /// It was written.
    Written,
}

/// Why a store did not answer. *Missing* is not an error: it is an empty answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The keyring is locked. Never to be taken for "missing".
    #[error("the keyring is locked")]
    Locked,
    /// There is no keyring to talk to: no session bus, or nobody provides the service.
    #[error("there is no keyring service: {0}")]
    NoService(String),
    /// The service took the request and did not answer in time.
    #[error("the keyring service did not answer within {0} ms")]
    Silent(u64),
    /// The service answered with an error, or not in its protocol.
    #[error("the keyring service failed: {0}")]
    Service(String),
    /// A file of ours, or one that we read, cannot be used.
    #[error("{}: {what}", place(file, *line))]
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1; 0 is the whole file.
        line: usize,
        /// What is wrong, never with a value.
        what: String,
    },
    /// The secret cannot be kept here.
    #[error("{0}")]
    Refused(String),
}

/// Returns the keyring of this system. It is asked for nothing before the first call.
pub fn open(env: &Env) -> Box<dyn Store> {
    #[cfg(target_os = "linux")]
    return Box::new(secret_service::SecretService::new(env));
    #[cfg(any(target_os = "macos", target_os = "windows"))]
    return Box::new(native::Native::open(env));
}

/// Names a place in a file for people; line 0 is the whole file.
pub(crate) fn place(file: &Path, line: usize) -> String {
    let file = file.display();
    if line == 0 { file.to_string() } else { format!("{file}:{line}") }
}

/// Builds a record that was just learned.
pub fn record(key: Key, secrets: Secrets, expires: Option<UnixTime>, now: UnixTime) -> Record {
    Record { entry: Entry { key, expires, stored: now, hidden: None }, secrets }
}
