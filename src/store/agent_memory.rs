//! The memory of the agent as a store: nothing is written anywhere, and all is gone when the agent is
//! locked or ends.

use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        agent::{Answer, Flags, Place, Question, Verb, Word},
        credential::{Entry, Hidden, Key, Proof, Query, Record, Secrets},
        gitproto::receipt::Source,
        vault::body,
    },
    store::{Desk, Error, Saved, Store},
    sys::control,
};

/// What the agent answers where something was written.
pub(crate) const WRITTEN: &[u8] = b"written";

/// The agent at its socket.
pub(super) struct AgentMemory {
    socket: PathBuf,
    place: Place,
}

impl AgentMemory {
    /// Takes where the agent is; asks it nothing.
    pub(super) fn new(desk: &Desk<'_>) -> Self {
        Self { socket: desk.paths.agent.clone(), place: desk.paths.place(desk.env) }
    }

    fn ask(&self, word: &str, record: Option<&Record>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let records = body::encode(record.map(std::slice::from_ref).unwrap_or_default());
        let mut body = Zeroizing::new(Vec::with_capacity(word.len() + 1 + records.len()));
        for part in [word.as_bytes(), b"\n", &records] {
            body.extend_from_slice(part);
        }
        let (place, flags) = (self.place, Flags::NONE);
        let question = Question { verb: Verb::Memory, place, flags, body: &body };
        let answer = control::agent(&self.socket, &question).map_err(|error| match error {
            control::Error::NotRunning => Error::NoAgent("is not running"),
            control::Error::Foreign => Error::NoAgent("is another user's"),
            control::Error::Silent => Error::NoAgent("does not answer"),
        })?;
        let Answer { word, out, err } = answer;
        match word {
            Word::Ok => Ok(out),
            Word::Refused => Err(Error::Full(err)),
            Word::Failed | Word::Locked | Word::No => {
                Err(Error::NoAgent("works with other files, or with another GOCRED_STORE"))
            }
        }
    }

    fn change(&self, word: &str, record: &Record) -> Result<Saved, Error> {
        let answer = self.ask(word, Some(record))?;
        Ok(if *answer == WRITTEN { Saved::Written } else { Saved::Unchanged })
    }
}

/// A record that says no more than a key and its mark.
fn marked(key: &Key, hidden: Option<&Hidden>) -> Record {
    let entry = Entry { key: key.clone(), expires: None, stored: 0, hidden: hidden.cloned() };
    Record { entry, secrets: Secrets::of(Proof::Password("".into())) }
}

impl Store for AgentMemory {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        Ok(self.find(query)?.into_iter().map(|record| record.entry).collect())
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let answer = self.ask("find", None)?;
        let mut records = body::parse(&answer)
            .map_err(|error| Error::Damaged(format!("what the agent holds: {error}")))?;
        records.retain(|record| query.matches(&record.entry.key));
        Ok(records)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        self.change("save", record)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        self.change("mark", &marked(key, hidden)).map(drop)
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.change("remove", &marked(key, None)).map(drop)
    }

    fn source(&self) -> Source {
        Source::Agent
    }
}
