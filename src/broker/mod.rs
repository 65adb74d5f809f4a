//! Layer 3: one question, one answer. Which source is asked, in which order, and which of several
//! records is released.
//!
//! It deliberately knows no wire format: git's words stay in `core::gitproto` and `front::git`.

mod approve;
mod ask;
mod journal;
mod reject;
#[cfg(feature = "full")]
pub mod renew;
mod rules;
#[cfg(feature = "full")]
mod source;
mod standing;
#[cfg(test)]
mod tests;
#[cfg(feature = "full")]
mod why;

use std::cmp::Reverse;

pub use self::{
    ask::{Found, Proofs, Question},
    journal::{Asked, Journal, Log, Release, Secret, Unrecorded},
    reject::Refuted,
    rules::of_host,
    standing::{Broker, is_our_listener},
};
#[cfg(feature = "full")]
pub use self::{
    renew::{Renew, RenewError},
    source::{CacheFor, Lease, SourceError, Sources, Wanted},
    why::{Reason, Why},
};
use crate::core::credential::{Entry, Record, UnixTime};

/// Returns the record to release: visible, not expired, one for the whole origin before one for a
/// path, and the newest of those.
pub fn choose<T: AsRef<Entry>>(records: Vec<T>, now: UnixTime) -> Option<T> {
    let order = |record: &T| {
        let Entry { key, expires: _, stored, hidden: _ } = record.as_ref();
        (key.path.is_some(), Reverse(*stored))
    };
    records.into_iter().filter(|record| is_live(record.as_ref(), now)).min_by_key(order)
}

/// Returns whether a record is neither hidden nor expired.
pub fn is_live(entry: &Entry, now: UnixTime) -> bool {
    entry.hidden.is_none() && entry.expires.is_none_or(|end| end >= now)
}

/// Returns whether a record has ended, by git's rule: it is good up to and including its last
/// second (credential.c, `credential_fill`).
pub fn is_expired(record: &Record, now: UnixTime) -> bool {
    record.entry.expires.is_some_and(|end| end < now)
}
