//! The agent: one daemon that holds keys and answers, for every program of the user. Threads, no tokio.
//!
//! It is transport, keys and cache. What is answered comes from `front`, which it may not name.

mod cache;
mod cached;
mod held;
mod keys;
mod lifetime;
mod memory;
mod sealed;
mod serve;
mod ticker;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

pub use self::{cache::Stamp, cached::Cached, lifetime::Lifetime, memory::Own};
use crate::{
    agent::{cache::Cache, keys::Keys, memory::Memory, ticker::Ticker},
    core::{
        agent::{Answer, Asked, Flags, Place, Verb, Word},
        credential::UnixTime,
        gitproto::Operation,
    },
    store::Store,
    sys::{clock, locked::KEY, peer},
};

/// The agent of this user.
pub struct Agent {
    place: Place,
    answers: Box<dyn Answers>,
    keys: Mutex<Keys>,
    cache: Mutex<Cache>,
    memory: Mutex<Memory>,
    ticker: Ticker,
    started: UnixTime,
    answered: AtomicU64,
}

/// Who knows the answers. Each is asked on a thread of its own.
pub trait Answers: Send + Sync {
    /// Answers git, whose request is as it came.
    fn git(&self, operation: Operation, request: &[u8], asker: &Asker<'_>) -> Answer;

    /// Returns how long keys are held, as it is configured now.
    fn lifetime(&self) -> Lifetime;

    /// Forgets what was fetched elsewhere: the agent is locked.
    fn forget(&self);
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
    /// How many keys of encrypted files it holds.
    pub keys: usize,
    /// How many answers of stores it holds, sealed.
    pub held: usize,
    /// How many secrets it keeps that are nowhere else.
    #[serde(default)]
    pub kept: usize,
    /// Whether what seals them never leaves memory.
    pub locked: bool,
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
            keys: Mutex::default(),
            cache: Mutex::new(Cache::new()?),
            memory: Mutex::new(Memory::new()?),
            started: clock::now(),
            answered: AtomicU64::new(0),
        })))
    }

    /// Returns a store whose answers are remembered.
    pub fn cached<'a>(&'a self, inner: &'a mut dyn Store, stamp: Stamp) -> Cached<'a> {
        Cached { cache: &self.cache, inner, stamp, is_absent: false }
    }

    /// Returns the secrets that are kept here and nowhere else.
    pub fn own(&self) -> Own<'_> {
        Own(self)
    }

    /// Forgets what has had its time. To be called now and then: what is over is not given out in any
    /// case, and is only wiped later.
    pub fn tidy(&self) {
        self.expire();
        self.cache().expire(cached::now());
    }

    fn answer(&self, asked: Asked, body: &[u8], pid: i32) -> Answer {
        let Asked { verb, place, flags } = asked;
        self.expire();
        let operation = match verb {
            Verb::GitErase => Operation::Erase,
            Verb::GitGet => Operation::Get,
            Verb::GitStore => Operation::Store,
            Verb::Key => return self.key(body),
            Verb::Lock => return self.lock(),
            Verb::Memory if place == self.place => {
                // The cache may have answered from it.
                self.cache().clear();
                return self.memory().answer(body);
            }
            Verb::Status => return self.status(),
            Verb::Unlock => return self.unlock(body),
            Verb::Ask | Verb::Forget | Verb::Goauth | Verb::Memory => {
                return Answer::of(Word::No);
            }
        };
        if place != self.place {
            return Answer::of(Word::No);
        }
        let answer = self.answers.git(operation, body, &Asker { agent: self, pid, flags });
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.keys().held.used(clock::running());
        self.memory().held.used(clock::running());
        answer
    }

    /// Gives the key of an encrypted file, whose id is the question.
    fn key(&self, body: &[u8]) -> Answer {
        let key = body.try_into().ok().and_then(|id| self.keys().find(id));
        match key {
            Some(out) => Answer { out, ..Answer::of(Word::Ok) },
            None => Answer::of(Word::Locked),
        }
    }

    /// Keeps a key: the question is `key`, the id of its file, and the key, a line feed between them.
    fn unlock(&self, body: &[u8]) -> Answer {
        let mut key = Zeroizing::new([0; KEY]);
        let parsed = body.strip_prefix(b"key\n").and_then(|rest| rest.split_first_chunk());
        let parsed = parsed.and_then(|(id, rest)| Some((id, rest.strip_prefix(b"\n")?)));
        match parsed {
            Some((id, bytes)) if bytes.len() == KEY && is_id(id) => {
                key.copy_from_slice(bytes);
                self.keys().keep(*id, &mut key, clock::running());
                Answer::of(Word::Ok)
            }
            // A later version has other things to unlock.
            _ => Answer::of(Word::No),
        }
    }

    fn lock(&self) -> Answer {
        self.keys().held.clear();
        self.memory().held.clear();
        self.cache().clear();
        self.answers.forget();
        Answer::of(Word::Ok)
    }

    /// Forgets the keys whose time is over, and then everything that they may have opened.
    fn expire(&self) {
        let lifetime = || self.answers.lifetime();
        let mut keys = self.keys();
        if keys.held.len() > 0 && keys.held.expire(lifetime(), clock::running()) {
            drop(keys);
            self.cache().clear();
        }
        let mut memory = self.memory();
        if memory.held.len() > 0 && memory.held.expire(lifetime(), clock::running()) {
            drop(memory);
            self.cache().clear();
        }
    }

    fn status(&self) -> Answer {
        let (held, locked) = {
            let cache = self.cache();
            (cache.len(), cache.is_locked())
        };
        let status = Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            answered: self.answered.load(Ordering::Relaxed),
            keys: self.keys().held.len(),
            held,
            kept: self.memory().held.len(),
            locked,
        };
        match serde_json::to_vec(&status) {
            Ok(out) => Answer { out: Zeroizing::new(out), ..Answer::of(Word::Ok) },
            Err(_) => Answer::of(Word::Failed),
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_id(id: &[u8; 32]) -> bool {
    id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}
