//! Proxy auto-configuration: a script, asked from async code.
//!
//! The script runs on a thread of its own and waits for nothing: where it wants a name resolved, the
//! run ends, the name is resolved here, and the script runs again with what is known then. So a
//! name server that does not answer holds up nobody but the request that needs it.
//!
//! An error is never `DIRECT`: whoever asks goes the way that is configured for it.

mod engine;
mod functions;
mod load;
mod names;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::{OnceCell, oneshot},
    time::{Instant, timeout},
};

use self::{
    engine::{Ended, Engine, Record, Said},
    functions::Names,
    names::Cache,
};
pub use self::{
    functions::Call,
    load::{LoadError, Loaded, load},
    names::{Found, Lookup},
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
/// How long the thread may take for a run that computes for 50 ms at most: it is on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a script gives no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
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
    NoText(&'static str),
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
    /// The engine does not come back from an earlier question, and is not asked again.
    #[error("the script engine does not come back")]
    Stuck,
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
    /// One question at a time; `None` where the engine did not come back.
    engine: tokio::sync::Mutex<Option<mpsc::Sender<Job>>>,
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

/// One run of the script.
struct Job {
    task: Task,
    names: Names,
    left: Duration,
    reply: oneshot::Sender<Reply>,
}

enum Task {
    Find(Question, Record),
    Load(Arc<str>),
}

struct Reply {
    result: Result<Ended<Said>, Error>,
    left: Duration,
}

impl Pac {
    /// Loads a script.
    pub async fn start(script: String) -> Result<Self, Error> {
        let (sender, jobs) = mpsc::channel();
        thread::Builder::new()
            .name("pac".to_owned())
            .stack_size(engine::STACK)
            .spawn(move || work(&jobs))
            .map_err(|error| Error::Engine(error.to_string()))?;
        let pac = Self {
            engine: tokio::sync::Mutex::new(Some(sender)),
            names: Cache::default(),
            answers: Mutex::default(),
        };
        let script: Arc<str> = script.into();
        pac.run(|| Task::Load(Arc::clone(&script))).await?;
        Ok(pac)
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
        self.run(|| Task::Find(question.clone(), record)).await
    }

    /// Runs a task until no name is missing.
    async fn run(&self, task: impl Fn() -> Task) -> Result<Explained, Error> {
        let deadline = Instant::now() + NAMES;
        let (mut names, mut lookups) = (Names::new(), Vec::new());
        let mut left = engine::TIME;
        loop {
            let reply = self.once(task(), names.clone(), left).await?;
            left = reply.left;
            let name = match reply.result? {
                Ended::Done(Said { text, calls }) => {
                    let computed = engine::TIME.saturating_sub(left);
                    return Ok(Explained { text, calls, lookups, computed });
                }
                Ended::Missing(_) if names.len() >= MAX_NAMES => return Err(Error::Names),
                Ended::Missing(_) if left.is_zero() => return Err(Error::Time),
                Ended::Missing(name) => name,
            };
            let addresses = match self.names.get(&name) {
                Some(addresses) => addresses,
                None => {
                    let lookup = self.names.resolve(&name, deadline).await;
                    let addresses = match &lookup.found {
                        Found::Addresses(addresses) => Arc::clone(addresses),
                        Found::Timeout => Arc::default(),
                    };
                    lookups.push(lookup);
                    addresses
                }
            };
            names.insert(name, addresses);
        }
    }

    /// Lets the thread do one run.
    async fn once(&self, task: Task, names: Names, left: Duration) -> Result<Reply, Error> {
        let mut engine = self.engine.lock().await;
        let sender = engine.as_ref().ok_or(Error::Stuck)?;
        let (reply, answer) = oneshot::channel();
        sender.send(Job { task, names, left, reply }).map_err(|_| Error::Stuck)?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            // It is in one operation of the engine that looks at no clock, and it cannot be ended.
            Ok(Err(_)) | Err(_) => {
                *engine = None;
                Err(Error::Stuck)
            }
        }
    }
}

/// The thread: one engine, for as long as somebody may ask it.
fn work(jobs: &mpsc::Receiver<Job>) {
    let mut engine = None;
    for Job { task, names, mut left, reply } in jobs {
        let result = match (task, &engine) {
            (Task::Load(script), _) => match Engine::load(&script, names, &mut left) {
                Ok(Ended::Done(loaded)) => {
                    engine = Some(loaded);
                    Ok(Ended::Done(Said { text: String::new(), calls: Vec::new() }))
                }
                Ok(Ended::Missing(name)) => Ok(Ended::Missing(name)),
                Err(error) => Err(error),
            },
            (Task::Find(question, record), Some(engine)) => {
                engine.find(&question, names, record, &mut left)
            }
            (Task::Find(..), None) => Err(Error::NoFunction),
        };
        // Who asked may have gone.
        let _ = reply.send(Reply { result, left });
    }
}
