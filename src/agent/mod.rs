//! The agent: one daemon that holds keys and answers, for every program of the user. Threads, no tokio.
//!
//! It is transport, keys and cache. What is answered comes from `front`, which it may not name.

mod cache;
mod cached;
mod keys;
mod lifetime;
mod serve;
mod ticker;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::{
    agent::ticker::Ticker,
    core::{
        agent::{Answer, Asked, Flags, Place, Verb, Word},
        credential::UnixTime,
        gitproto::Operation,
    },
    sys::{clock, peer},
};

/// The agent of this user.
pub struct Agent {
    place: Place,
    answers: Box<dyn Answers>,
    ticker: Ticker,
    started: UnixTime,
    answered: AtomicU64,
}

/// Who knows the answers. Each is asked on a thread of its own.
pub trait Answers: Send + Sync {
    /// Answers git, whose request is as it came.
    fn git(&self, operation: Operation, request: &[u8], asker: &Asker<'_>) -> Answer;
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// The agent that was asked.
    pub agent: &'a Agent,
    /// The process that asked; 0 is unknown.
    pub pid: i32,
    /// What it said of itself.
    pub flags: Flags,
}

/// What an agent says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it started, in seconds since 1970-01-01 UTC.
    pub started: UnixTime,
    /// How many questions it has answered.
    pub answered: u64,
}

impl Agent {
    /// Starts it, for those who work with the same files. `None`: the system does not tell the users of
    /// this machine apart, so that nobody could be answered.
    pub fn new(place: Place, answers: Box<dyn Answers>) -> io::Result<Option<Arc<Self>>> {
        if !peer::is_one_user(peer::own_uid()) {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            place,
            answers,
            ticker: Ticker::start()?,
            started: clock::now(),
            answered: AtomicU64::new(0),
        })))
    }

    fn answer(&self, asked: Asked, body: &[u8], pid: i32) -> Answer {
        let Asked { verb, place, flags } = asked;
        let operation = match verb {
            Verb::Status => return self.status(),
            Verb::GitErase => Operation::Erase,
            Verb::GitGet => Operation::Get,
            Verb::GitStore => Operation::Store,
            Verb::Ask | Verb::Forget | Verb::Goauth | Verb::Key | Verb::Lock | Verb::Unlock => {
                return Answer::of(Word::No);
            }
        };
        if place != self.place {
            return Answer::of(Word::No);
        }
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.answers.git(operation, body, &Asker { agent: self, pid, flags })
    }

    fn status(&self) -> Answer {
        let status = Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            answered: self.answered.load(Ordering::Relaxed),
        };
        match serde_json::to_vec(&status) {
            Ok(out) => Answer { out: Zeroizing::new(out), ..Answer::of(Word::Ok) },
            Err(_) => Answer::of(Word::Failed),
        }
    }
}
