//! What stores have answered, sealed: in memory it lies under a key that never leaves it.

use std::{collections::HashMap, io, time::Duration};

use crate::{
    agent::sealed::{Sealed, Sealer},
    core::credential::{Query, Record, UnixTime},
};

/// How long an answer is good while nobody says that something has changed.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// More questions than this are not asked within that time.
const MOST: usize = 1024;

/// What is known.
pub(super) struct Cache {
    sealer: Sealer,
    entries: HashMap<String, Entry>,
}

struct Entry {
    sealed: Sealed,
    /// What the files said that change when a store does.
    stamp: Stamp,
    /// Until when it is good, on the clock that runs on, and on the calendar's.
    until: Duration,
    expires: Option<UnixTime>,
}

/// What changes when a store does. Equal ones mean that nothing has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(pub Vec<u8>);

/// The two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// `sys::clock::running`
    pub(super) running: Duration,
    /// `sys::clock::now`
    pub(super) calendar: UnixTime,
}

impl Cache {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { sealer: Sealer::new()?, entries: HashMap::new() })
    }

    /// Keeps an answer. That there is none is not kept: a person who has just stored something looks
    /// for it at once.
    pub(super) fn put(&mut self, query: &Query, records: &[Record], stamp: &Stamp, now: Now) {
        if records.is_empty() {
            return;
        }
        if self.entries.len() >= MOST {
            self.entries.clear();
        }
        let Some(sealed) = self.sealer.seal(records) else { return };
        let entry = Entry {
            sealed,
            stamp: stamp.clone(),
            until: now.running + GOOD_FOR,
            expires: records.iter().filter_map(|record| record.entry.expires).min(),
        };
        self.entries.insert(name(query), entry);
    }

    /// Returns what was answered, while it is good.
    pub(super) fn find(&mut self, query: &Query, stamp: &Stamp, now: Now) -> Option<Vec<Record>> {
        let name = name(query);
        let entry = self.entries.get(&name)?;
        if entry.stamp != *stamp || entry.is_over(now) {
            self.entries.remove(&name);
            return None;
        }
        self.sealer.open(&entry.sealed)
    }

    /// Forgets what is no longer good.
    pub(super) fn expire(&mut self, now: Now) {
        self.entries.retain(|_, entry| !entry.is_over(now));
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether the key of it all stays in memory.
    pub(super) fn is_locked(&self) -> bool {
        self.sealer.is_locked()
    }
}

impl Entry {
    /// What has ended is asked for anew: somebody may have renewed it.
    fn is_over(&self, now: Now) -> bool {
        self.until <= now.running || self.expires.is_some_and(|end| end < now.calendar)
    }
}

/// Names a question; no two have the same name.
fn name(query: &Query) -> String {
    let Query { kind, origin, path, user } = query;
    let origin = origin.as_ref().map(ToString::to_string);
    let parts = [origin.as_ref(), path.as_ref(), user.as_ref()];
    format!("{} {parts:?}", kind.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cache, MOST, Now, Stamp};
    use crate::core::{
        credential::{Entry, Key, Kind, Proof, Query, Record, Secrets},
        origin::Origin,
        secret::ExposeSecret,
    };

    fn record(user: &str, expires: Option<u64>) -> Record {
        let origin = Origin::new("https", "h").unwrap();
        let key = Key { kind: Kind::Git, origin, path: None, user: user.to_owned() };
        let entry = Entry { key, expires, stored: 1, hidden: None };
        Record { entry, secrets: Secrets::of(Proof::Password("hunter2-canary".into())) }
    }

    fn query(user: Option<&str>) -> Query {
        let origin = Origin::new("https", "h").unwrap();
        Query { user: user.map(str::to_owned), ..Query::origin(Kind::Git, origin) }
    }

    fn at(seconds: u64) -> Now {
        Now { running: Duration::from_secs(seconds), calendar: 1000 + seconds }
    }

    #[test]
    fn an_answer_is_given_again_to_the_same_question_only() {
        let mut cache = Cache::new().unwrap();
        let stamp = Stamp(b"1".to_vec());
        cache.put(&query(None), &[record("ana", None), record("bob", None)], &stamp, at(0));
        let found = cache.find(&query(None), &stamp, at(299)).unwrap();
        assert_eq!(found.len(), 2);
        let Proof::Password(password) = &found[0].secrets.proof else { panic!("a password") };
        assert_eq!(password.expose_secret(), "hunter2-canary");
        assert!(cache.find(&query(Some("ana")), &stamp, at(0)).is_none());
        assert!(cache.find(&Query { kind: Kind::Proxy, ..query(None) }, &stamp, at(0)).is_none());
        let path = Query { path: Some(String::new()), ..query(None) };
        assert!(cache.find(&path, &stamp, at(0)).is_none());
    }

    #[test]
    fn it_is_good_for_five_minutes_until_something_changes_or_ends() {
        let mut cache = Cache::new().unwrap();
        let (one, other) = (Stamp(b"1".to_vec()), Stamp(b"2".to_vec()));
        for (stamp, now, is_found) in
            [(&one, at(299), true), (&one, at(300), false), (&other, at(0), false)]
        {
            cache.put(&query(None), &[record("ana", None)], &one, at(0));
            assert_eq!(cache.find(&query(None), stamp, now).is_some(), is_found);
        }
        cache.put(&query(None), &[record("ana", Some(1010)), record("b", None)], &one, at(0));
        assert!(cache.find(&query(None), &one, at(10)).is_some());
        assert!(cache.find(&query(None), &one, at(11)).is_none());
        cache.put(&query(None), &[record("ana", None)], &one, at(0));
        cache.expire(at(299));
        assert_eq!(cache.len(), 1);
        cache.expire(at(300));
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn nothing_is_not_remembered_and_there_is_no_end_of_questions() {
        let mut cache = Cache::new().unwrap();
        let stamp = Stamp::default();
        cache.put(&query(None), &[], &stamp, at(0));
        assert_eq!(cache.len(), 0);
        for number in 0..=MOST {
            cache.put(&query(Some(&number.to_string())), &[record("a", None)], &stamp, at(0));
        }
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn what_lies_in_memory_is_sealed() {
        let mut cache = Cache::new().unwrap();
        for _ in 0..2 {
            cache.put(&query(None), &[record("ana", None)], &Stamp::default(), at(0));
            let entry = cache.entries.values().next().unwrap();
            let canary = b"hunter2-canary";
            assert!(!entry.sealed.bytes.windows(canary.len()).any(|window| window == canary));
        }
        assert!(cache.is_locked(), "a page or two can be locked anywhere");
    }
}
