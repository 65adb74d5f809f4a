//! Layer 3: one question, one answer. Which source is asked, in which order, and which of several
//! records is released.
//!
//! It deliberately knows no wire format: git's words stay in `core::gitproto` and `front::git`.

mod approve;
mod ask;
#[cfg(test)]
mod fixture;
mod journal;
mod reject;
#[cfg(feature = "full")]
pub mod renew;
mod rules;
#[cfg(feature = "full")]
mod source;
mod standing;
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

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::core::{
        credential::{Entry, Hidden, Key, Kind, Proof, Record, Secrets},
        origin::Origin,
    };

    fn record(user: &str, path: Option<&str>, stored: u64) -> Record {
        let origin = Origin::new("https", "h").unwrap();
        let path = path.map(str::to_owned);
        let key = Key { kind: Kind::Git, origin, path, user: user.to_owned() };
        let proof = Proof::Password("hunter2".into());
        Record {
            entry: Entry { key, expires: None, stored, hidden: None },
            secrets: Secrets::of(proof),
        }
    }

    fn chosen(records: Vec<Record>) -> Option<String> {
        choose(records, 100).map(|record| record.entry.key.user)
    }

    #[test]
    fn the_newest_record_of_the_whole_origin_is_chosen() {
        let records =
            vec![record("old", None, 1), record("new", None, 2), record("p", Some("x"), 3)];
        assert_eq!(chosen(records).as_deref(), Some("new"));
        assert_eq!(chosen(vec![record("p", Some("x"), 3)]).as_deref(), Some("p"));
    }

    #[test]
    fn hidden_and_expired_records_are_never_chosen() {
        let mut hidden = record("hidden", None, 9);
        hidden.entry.hidden = Some(Hidden { at: 50, by: "git erase".to_owned() });
        let mut expired = record("expired", None, 8);
        expired.entry.expires = Some(99);
        assert_eq!(chosen(vec![hidden.clone(), expired.clone()]), None);
        assert_eq!(chosen(vec![hidden, expired, record("old", None, 1)]).as_deref(), Some("old"));
        let mut last_second = record("last", None, 1);
        last_second.entry.expires = Some(100);
        assert_eq!(chosen(vec![last_second]).as_deref(), Some("last"));
    }
}
