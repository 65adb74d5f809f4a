//! The secrets that are kept nowhere else (`--store agent`), each sealed, for as long as keys are.

use std::{io, sync::PoisonError, time::Duration};

use secrecy::zeroize::Zeroizing;

use crate::{
    agent::{
        Agent,
        lifetime::Lifetime,
        sealed::{Sealed, Sealer},
    },
    core::{
        agent::{Answer, Word},
        credential::{Entry, Hidden, Key, Query, Record},
        gitproto::receipt::Source,
        vault::body,
    },
    store::{Error, Saved, Store, agent_memory::WRITTEN, whole::is_same},
    sys::clock,
};

/// More is not kept, in bytes: all of it must fit into one answer.
const MOST: usize = 192 * 1024;
const FULL: &str = "the agent keeps 192 KiB of secrets; `--store file` has more room";

/// What is held.
pub(super) struct Memory {
    sealer: Sealer,
    held: Vec<Held>,
    /// When the last answer was given.
    used: Duration,
}

struct Held {
    key: Key,
    sealed: Sealed,
    since: Duration,
}

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { sealer: Sealer::new()?, held: Vec::new(), used: Duration::ZERO })
    }

    fn find(&self, is_wanted: impl Fn(&Key) -> bool) -> Vec<Record> {
        let wanted = self.held.iter().filter(|held| is_wanted(&held.key));
        wanted.filter_map(|held| self.sealer.open(&held.sealed)).flatten().collect()
    }

    fn save(&mut self, record: &Record, now: Duration) -> Result<Saved, Error> {
        let key = &record.entry.key;
        if self.find(|other| other == key).iter().any(|old| is_same(old, record)) {
            return Ok(Saved::Unchanged);
        }
        let full = || Error::Full(FULL.to_owned());
        let sealed = self.sealer.seal(std::slice::from_ref(record)).ok_or_else(full)?;
        let others = self.held.iter().filter(|held| held.key != *key);
        let size: usize = others.map(|held| held.sealed.bytes.len()).sum();
        if size + sealed.bytes.len() > MOST {
            return Err(full());
        }
        self.held.retain(|held| held.key != *key);
        self.held.push(Held { key: key.clone(), sealed, since: now });
        Ok(Saved::Written)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Saved {
        let Some(held) = self.held.iter_mut().find(|held| held.key == *key) else {
            return Saved::Unchanged;
        };
        let Some(mut records) = self.sealer.open(&held.sealed) else { return Saved::Unchanged };
        for record in &mut records {
            record.entry.hidden = hidden.cloned();
        }
        match self.sealer.seal(&records) {
            Some(sealed) => {
                held.sealed = sealed;
                Saved::Written
            }
            None => Saved::Unchanged,
        }
    }

    fn remove(&mut self, key: &Key) -> Saved {
        let before = self.held.len();
        self.held.retain(|held| held.key != *key);
        if self.held.len() == before { Saved::Unchanged } else { Saved::Written }
    }

    pub(super) fn used(&mut self, now: Duration) {
        self.used = now;
    }

    /// Forgets what has had its time, and returns whether there was any.
    pub(super) fn expire(&mut self, lifetime: Lifetime, now: Duration) -> bool {
        let (before, used) = (self.held.len(), self.used);
        self.held.retain(|held| !lifetime.is_over(held.since, used, now));
        self.held.len() < before
    }

    pub(super) fn clear(&mut self) {
        self.held.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Answers `store::agent_memory`: a word, a line feed, and at most one record.
    pub(super) fn answer(&mut self, question: &[u8]) -> Answer {
        let mut parts = question.splitn(2, |byte| *byte == b'\n');
        let word = parts.next().unwrap_or_default();
        let records = body::parse(parts.next().unwrap_or_default());
        let saved = match (word, records.as_deref()) {
            (b"find", Ok([])) => {
                let out = body::encode(&self.find(|_| true));
                return Answer { out, ..Answer::of(Word::Ok) };
            }
            (b"save", Ok([record])) => self.save(record, clock::running()),
            (b"mark", Ok([record])) => {
                Ok(self.mark(&record.entry.key, record.entry.hidden.as_ref()))
            }
            (b"remove", Ok([record])) => Ok(self.remove(&record.entry.key)),
            _ => return Answer::of(Word::No),
        };
        match saved {
            Ok(Saved::Written) => {
                Answer { out: Zeroizing::new(WRITTEN.to_vec()), ..Answer::of(Word::Ok) }
            }
            Ok(Saved::Unchanged) => Answer::of(Word::Ok),
            Err(error) => Answer { err: error.to_string(), ..Answer::of(Word::Refused) },
        }
    }
}

/// What the agent itself keeps, as a store for its own answers.
pub struct Own<'a>(pub(super) &'a Agent);

impl Own<'_> {
    fn with<T>(&self, use_it: impl FnOnce(&mut Memory) -> T) -> T {
        use_it(&mut self.0.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for Own<'_> {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        Ok(self.find(query)?.into_iter().map(|record| record.entry).collect())
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        Ok(self.with(|memory| memory.find(|key| query.matches(key))))
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        self.with(|memory| memory.save(record, clock::running()))
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        self.with(|memory| memory.mark(key, hidden));
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.with(|memory| memory.remove(key));
        Ok(())
    }

    fn source(&self) -> Source {
        Source::Agent
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Lifetime, MOST, Memory};
    use crate::{
        core::{
            agent::Word,
            credential::{Entry, Hidden, Key, Kind, Proof, Record, Secrets},
            origin::Origin,
            vault::body,
        },
        store::Saved,
    };

    fn record(user: &str, secret: &str) -> Record {
        let origin = Origin::new("https", "h").unwrap();
        let key = Key { kind: Kind::Git, origin, path: None, user: user.to_owned() };
        let entry = Entry { key, expires: None, stored: 1, hidden: None };
        Record { entry, secrets: Secrets::of(Proof::Password(secret.into())) }
    }

    #[test]
    fn what_is_kept_is_found_hidden_replaced_and_taken_out() {
        let mut memory = Memory::new().unwrap();
        let now = Duration::ZERO;
        assert_eq!(memory.save(&record("ana", "canary-1"), now), Ok(Saved::Written));
        assert_eq!(memory.save(&record("ana", "canary-1"), now), Ok(Saved::Unchanged));
        assert_eq!(memory.save(&record("ana", "canary-2"), now), Ok(Saved::Written));
        assert_eq!(memory.len(), 1);
        let sealed = &memory.held[0].sealed.bytes;
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        let key = record("ana", "").entry.key;
        let hidden = Hidden { at: 3, by: "git erase".to_owned() };
        assert_eq!(memory.mark(&key, Some(&hidden)), Saved::Written);
        assert_eq!(memory.find(|_| true)[0].entry.hidden, Some(hidden));
        assert_eq!(memory.save(&record("ana", "canary-2"), now), Ok(Saved::Written), "it is shown");
        assert_eq!((memory.remove(&key), memory.remove(&key)), (Saved::Written, Saved::Unchanged));
    }

    #[test]
    fn it_ends_with_its_time_and_has_no_room_for_everything() {
        let mut memory = Memory::new().unwrap();
        memory.save(&record("ana", "x"), Duration::ZERO).unwrap();
        let lifetime = Lifetime { whole: Duration::from_secs(9), idle: None };
        assert!(!memory.expire(lifetime, Duration::from_secs(8)));
        assert!(memory.expire(lifetime, Duration::from_secs(9)));
        let large = record("ana", &"x".repeat(MOST / 2));
        assert_eq!(memory.save(&large, Duration::ZERO), Ok(Saved::Written));
        let other = record("bob", &"x".repeat(MOST / 2));
        assert!(memory.save(&other, Duration::ZERO).is_err());
        assert_eq!(memory.len(), 1);
    }

    #[test]
    fn what_is_no_question_changes_nothing() {
        let mut memory = Memory::new().unwrap();
        let save = [b"save\n".as_slice(), &body::encode(&[record("ana", "x")])].concat();
        assert_eq!(memory.answer(&save).word, Word::Ok);
        for question in [&b""[..], b"find\nx", b"save\n", b"drop\n", b"save", b"\n\n"] {
            assert_eq!(memory.answer(question).word, Word::No, "{question:?}");
        }
        let two = body::encode(&[record("a", ""), record("b", "")]);
        assert_eq!(memory.answer(&[b"remove\n".as_slice(), &two].concat()).word, Word::No);
        assert_eq!(body::parse(&memory.answer(b"find\n").out).unwrap().len(), 1);
    }
}
