//! The secrets that are kept nowhere else (`--store agent`), each sealed, for as long as keys are.

use std::{io, sync::PoisonError, time::Duration};

use secrecy::zeroize::Zeroizing;

use crate::{
    agent::{
        Agent,
        held::Held,
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
    pub(super) held: Held<Key, Sealed>,
}

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { sealer: Sealer::new()?, held: Held::default() })
    }

    fn find(&self, is_wanted: impl Fn(&Key) -> bool) -> Vec<Record> {
        let wanted = self.held.iter().filter(|(key, _)| is_wanted(key));
        wanted.filter_map(|(_, sealed)| self.sealer.open(sealed)).flatten().collect()
    }

    fn save(&mut self, record: &Record, now: Duration) -> Result<Saved, Error> {
        let key = &record.entry.key;
        if self.find(|other| other == key).iter().any(|old| is_same(old, record)) {
            return Ok(Saved::Unchanged);
        }
        let full = || Error::Full(FULL.to_owned());
        let sealed = self.sealer.seal(std::slice::from_ref(record)).ok_or_else(full)?;
        let others = self.held.iter().filter(|(other, _)| *other != key);
        let size: usize = others.map(|(_, sealed)| sealed.bytes.len()).sum();
        if size + sealed.bytes.len() > MOST {
            return Err(full());
        }
        self.held.keep(key.clone(), sealed, now);
        Ok(Saved::Written)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Saved {
        let Some(held) = self.held.find_mut(key) else { return Saved::Unchanged };
        let Some(mut records) = self.sealer.open(held) else { return Saved::Unchanged };
        for record in &mut records {
            record.entry.hidden = hidden.cloned();
        }
        match self.sealer.seal(&records) {
            Some(sealed) => {
                *held = sealed;
                Saved::Written
            }
            None => Saved::Unchanged,
        }
    }

    fn remove(&mut self, key: &Key) -> Saved {
        if self.held.remove(key) { Saved::Written } else { Saved::Unchanged }
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

    use super::{MOST, Memory};
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
        assert_eq!(memory.held.len(), 1);
        let sealed = &memory.held.find(&record("ana", "").entry.key).unwrap().bytes;
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        let key = record("ana", "").entry.key;
        let hidden = Hidden { at: 3, by: "git erase".to_owned() };
        assert_eq!(memory.mark(&key, Some(&hidden)), Saved::Written);
        assert_eq!(memory.find(|_| true)[0].entry.hidden, Some(hidden));
        assert_eq!(memory.save(&record("ana", "canary-2"), now), Ok(Saved::Written), "it is shown");
        assert_eq!((memory.remove(&key), memory.remove(&key)), (Saved::Written, Saved::Unchanged));
    }

    #[test]
    fn it_has_no_room_for_everything() {
        let mut memory = Memory::new().unwrap();
        let large = record("ana", &"x".repeat(MOST / 2));
        assert_eq!(memory.save(&large, Duration::ZERO), Ok(Saved::Written));
        let other = record("bob", &"x".repeat(MOST / 2));
        assert!(memory.save(&other, Duration::ZERO).is_err());
        assert_eq!(memory.held.len(), 1);
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
