//! Proxy auto-configuration: a script, asked from async code.
//!
//! The script runs in a process of its own and waits for nothing: where it wants a name resolved, the
//! run ends, the name is resolved here, and the script runs again with what is known then. So a
//! name server that does not answer holds up nobody but the request that needs it.
//!
//! An error is never `DIRECT`: whoever asks goes the way that is configured for it.

mod autoconfig;
pub mod child;
mod engine;
mod functions;
mod load;
mod message;
mod names;
mod worker;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{sync::OnceCell, time::Instant};

pub use self::{
    autoconfig::{Autoconfig, Failure, ReloadError, Reloaded},
    load::{LoadError, Loaded, load},
    message::Call,
    names::{Found, Lookup},
    worker::Program,
};
use self::{
    message::{Ended, Job, Names, Record, Reply, Said, Task},
    names::Cache,
    worker::Worker,
};
use crate::core::pac::{file, question::Question};

/// What a script is called in its exceptions.
const FILE: &str = "proxy.pac";
/// How long an answer is used.
const KEPT: Duration = Duration::from_secs(60);
/// How long an error is used: a script that fails may take its whole time for it.
const KEPT_ERROR: Duration = Duration::from_secs(5);
/// How many answers are kept.
const MAX_ANSWERS: usize = 1024;
/// A longer URL is asked for each time, in bytes.
const MAX_KEY: usize = 1024;
/// How long all look-ups of one question may take.
const NAMES: Duration = Duration::from_secs(2);
/// How many names one question may resolve.
const MAX_NAMES: usize = 32;
/// Why a script gives no answer.
#[derive(Clone, Debug, Deserialize, Error, PartialEq, Eq, Serialize)]
pub enum Error {
    /// The engine was ended: it computed in one step that cannot be interrupted, or broke.
    #[error("the script ran into a limit, and its engine was ended")]
    Ended,
    /// The engine cannot be started.
    #[error("the script engine does not start: {0}")]
    Engine(String),
    /// The script wants too much memory.
    #[error("the script wants more than 32 MiB of memory")]
    Memory,
    /// The script asks for too many names.
    #[error("the script resolves more than {MAX_NAMES} names for one answer")]
    Names,
    /// The script has no function to call.
    #[error("the script has neither FindProxyForURL nor FindProxyForURLEx")]
    NoFunction,
    /// The function returned something else than text.
    #[error("the script returned {0}, not text")]
    NoText(String),
    /// The script threw an exception, or is no JavaScript.
    #[error("the script failed{}: {what}", .line.map(|line| format!(" in line {line}")).unwrap_or_default())]
    Script {
        /// The exception, printable.
        what: String,
        /// Where it was thrown.
        line: Option<u32>,
    },
    /// The script is too long.
    #[error("the script is larger than {} bytes", file::MAX_LENGTH)]
    Size,
    /// The script calls itself too often.
    #[error("the script calls itself without end")]
    Stack,
    /// The script computed for too long.
    #[error("the script computed for more than {} ms", engine::TIME.as_millis())]
    Time,
}

/// What a script answered, and how it came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The answer.
    pub text: String,
    /// The functions that it called in the run that answered.
    pub calls: Vec<Call>,
    /// The names that were resolved for it.
    pub lookups: Vec<Lookup>,
    /// How long it computed, all runs together.
    pub computed: Duration,
}

/// A script that was loaded and is ready to be asked.
#[derive(Debug)]
pub struct Pac {
    script: String,
    /// One run at a time.
    engine: tokio::sync::Mutex<Worker>,
    names: Cache,
    answers: Mutex<HashMap<Question, Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    made: Instant,
    /// Who asks first asks the script; the others wait for its answer.
    answer: Arc<OnceCell<Result<String, Error>>>,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        let limit = match self.answer.get() {
            Some(Err(_)) => KEPT_ERROR,
            Some(Ok(_)) | None => KEPT,
        };
        self.made.elapsed() < limit
    }
}

impl Pac {
    /// Loads a script into a process of its own.
    pub async fn start(script: String, program: Program) -> Result<Self, Error> {
        if script.len() > file::MAX_LENGTH {
            return Err(Error::Size);
        }
        let pac = Self {
            script,
            engine: tokio::sync::Mutex::new(Worker::new(program)),
            names: Cache::default(),
            answers: Mutex::default(),
        };
        pac.load().await?;
        Ok(pac)
    }

    /// Returns the script.
    pub fn text(&self) -> &str {
        &self.script
    }

    /// Asks the script; the answer is that of [`answer::parse`](crate::core::pac::answer::parse).
    /// Answers and errors are kept for a while, so that a script that fails does not cost each request
    /// its whole time.
    pub async fn find(&self, question: &Question) -> Result<String, Error> {
        let ask =
            || async { self.explain_as(question, Record::Nothing).await.map(|said| said.text) };
        if question.url.len() > MAX_KEY {
            return ask().await;
        }
        self.kept(question).answer.get_or_init(ask).await.clone()
    }

    /// Asks the script anew, and records what it does.
    pub async fn explain(&self, question: &Question) -> Result<Explained, Error> {
        self.explain_as(question, Record::Calls).await
    }

    /// Forgets answers and names: the network is another one.
    pub fn forget(&self) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.names.clear();
    }

    fn kept(&self, question: &Question) -> Kept {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = answers.get(question).filter(|kept| kept.is_fresh()) {
            return kept.clone();
        }
        if answers.len() >= MAX_ANSWERS {
            answers.retain(|_, kept| kept.is_fresh());
        }
        if answers.len() >= MAX_ANSWERS {
            answers.clear();
        }
        let kept = Kept { made: Instant::now(), answer: Arc::default() };
        answers.insert(question.clone(), kept.clone());
        kept
    }

    async fn explain_as(&self, question: &Question, record: Record) -> Result<Explained, Error> {
        let Question { url, host } = question.clone();
        let task = Task::Find { url, host, record };
        if let Some(explained) = self.run(&task, engine::TIME).await? {
            return Ok(explained);
        }
        // The process is a new one: the last one was ended.
        self.load().await?;
        self.run(&task, engine::TIME).await?.ok_or(Error::Ended)
    }

    async fn load(&self) -> Result<(), Error> {
        let time = engine::load_time(&self.script);
        self.run(&Task::Load(self.script.clone()), time).await.map(drop)
    }

    /// Runs a task until no name is missing. `None`: no script is loaded.
    async fn run(&self, task: &Task, time: Duration) -> Result<Option<Explained>, Error> {
        let deadline = Instant::now() + NAMES;
        let (mut names, mut lookups) = (Names::new(), Vec::new());
        let mut left = time;
        loop {
            let job = Job { task: task.clone(), names: names.clone(), left };
            let Reply { result, left: still } = self.engine.lock().await.ask(&job).await?;
            left = still.min(left);
            let name = match result? {
                Ended::Unloaded => return Ok(None),
                Ended::Done(Said { text, calls }) => {
                    let computed = time.saturating_sub(left);
                    return Ok(Some(Explained { text, calls, lookups, computed }));
                }
                Ended::Missing(_) if names.len() >= MAX_NAMES => return Err(Error::Names),
                Ended::Missing(_) if left.is_zero() => return Err(Error::Time),
                Ended::Missing(name) => name,
            };
            let addresses = self.addresses(&name, deadline, &mut lookups).await;
            names.insert(name, addresses.to_vec());
        }
    }

    async fn addresses(
        &self,
        name: &str,
        deadline: Instant,
        lookups: &mut Vec<Lookup>,
    ) -> Arc<[IpAddr]> {
        if let Some(addresses) = self.names.get(name) {
            return addresses;
        }
        let lookup = self.names.resolve(name, deadline).await;
        let addresses = match &lookup.found {
            Found::Addresses(addresses) => Arc::clone(addresses),
            Found::Timeout => Arc::default(),
        };
        lookups.push(lookup);
        addresses
    }
}
