//! A login that has ended is renewed, once for all who ask.
//!
//! Whoever gets the lock starts a process that inherits it, and with that the request: who asked may be
//! killed, and nobody else asks the server meanwhile. Everybody waits for what becomes of it, and reads
//! the login anew. A server that rotates refresh tokens takes the whole login back when an old one
//! comes twice (RFC 9700 §4.14.2), so that one request too many is worse than none.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::{
    broker::{Broker, is_expired},
    core::{
        credential::{Key, Query, Record},
        oauth::renewal::{self, Outcome, What},
    },
    store,
    sys::files,
};

/// How long somebody waits for a renewal.
const PATIENCE: Duration = Duration::from_secs(9);
/// How often those who wait look.
const STEP: Duration = Duration::from_millis(10);
/// A process that is killed before it has done anything is started again, so often.
const STARTS: usize = 3;
/// How often a store is asked that does not answer in time, and how long it is left alone between: what
/// time it is given then grows by as much.
const TRIES: usize = 4;
const CALM: Duration = Duration::from_secs(1);
/// What is written of a renewal is shorter, in bytes.
const MAX_OUTCOME: u64 = 16 * 1024;

/// Who renews: a process of its own, which outlives those who wait for it.
pub trait Renew: Send {
    /// Starts it on the locked file that names the record, and waits for its end. The file's lock is
    /// the process's from then on. `false`: it has not ended within the limit.
    fn run(&mut self, locked: File, limit: Duration) -> io::Result<bool>;
}

/// Why a login was not renewed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RenewError {
    /// Somebody else renews it, and has not ended in time.
    #[error("the login has ended, and its renewal takes long")]
    Busy,
    /// The server refused: a person must log in again.
    #[error("the login has ended: {0}")]
    Rejected(String),
    /// It did not work this time; the login may still be good.
    #[error("the login has ended, and its renewal failed: {0}")]
    Unreachable(String),
    /// The store cannot be read.
    #[error(transparent)]
    Store(store::Error),
}

impl From<RenewError> for store::Error {
    fn from(error: RenewError) -> Self {
        let code = match &error {
            RenewError::Busy => "K25",
            RenewError::Rejected(_) => "A32",
            RenewError::Unreachable(_) => "K26",
            RenewError::Store(error) => return error.clone(),
        };
        Self::Withheld { code, what: error.to_string() }
    }
}

/// The files of one login's renewals.
#[derive(Clone, Debug)]
pub struct Place {
    lock: PathBuf,
    outcome: PathBuf,
    sent: PathBuf,
}

impl Place {
    /// Takes the lock. `Ok(None)`: somebody has it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        if let Some(folder) = self.lock.parent() {
            files::create_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        let file = options.open(&self.lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns what became of the last renewal.
    pub fn outcome(&self) -> Option<Outcome> {
        let bytes = files::read(&self.outcome, MAX_OUTCOME).ok()??;
        Outcome::parse(std::str::from_utf8(&bytes).ok()?)
    }

    /// Writes down what became of one.
    pub fn finish(&self, outcome: &Outcome) -> io::Result<()> {
        files::write_private(&self.outcome, outcome.encode().as_bytes())?;
        if matches!(outcome.what, What::Failed(_)) {
            // The server may have answered, and nobody heard it.
            return Ok(());
        }
        std::fs::remove_file(&self.sent).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// Writes down that a refresh token is about to be sent, by its fingerprint. Returns whether that
    /// was written down before, by somebody who has not come to an end.
    pub fn begin(&self, fingerprint: &str) -> io::Result<bool> {
        let before = files::read(&self.sent, MAX_OUTCOME)?;
        if before.as_deref() == Some(fingerprint.as_bytes()) {
            return Ok(true);
        }
        files::write_private(&self.sent, fingerprint.as_bytes())?;
        Ok(false)
    }

    /// Returns whether this login was ever renewed, or is being.
    pub fn exists(&self) -> bool {
        self.lock.exists()
    }

    /// Forgets what became of the last renewal: the login is another one. Under the lock.
    pub fn forget(&self) {
        for file in [&self.outcome, &self.sent] {
            let _ = std::fs::remove_file(file);
        }
    }

    /// Leaves nothing: the login is gone. Under the lock.
    pub fn remove(&self) {
        self.forget();
        let _ = std::fs::remove_file(&self.lock);
    }
}

impl Broker<'_> {
    /// Renews a record that has ended. `None`: nobody here can, and it stays with who asked.
    pub fn renewed(&mut self, record: &Record) -> Option<Result<Record, RenewError>> {
        let (Some(token), Some(_), true) =
            (&record.secrets.refresh_token, &record.secrets.session, self.renewer.is_some())
        else {
            return None;
        };
        let place = place(&self.paths.state, &record.entry.key);
        let before = place.outcome();
        if let Some(Outcome { what: What::Rejected { fingerprint, why }, .. }) = &before
            && *fingerprint == renewal::fingerprint(token)
        {
            // It would be refused again.
            return Some(Err(RenewError::Rejected(why.clone())));
        }
        Some(self.renew(&record.entry.key, &place, before.as_ref()))
    }

    fn renew(
        &mut self,
        key: &Key,
        place: &Place,
        before: Option<&Outcome>,
    ) -> Result<Record, RenewError> {
        let start = Instant::now();
        let broken = |error: io::Error| RenewError::Unreachable(error.to_string());
        let mut starts = 0;
        loop {
            let outcome = place.outcome();
            if outcome.as_ref() != before
                && let Some(result) = self.result(key, outcome)?
            {
                return result;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(RenewError::Busy);
            }
            let Some(mut file) = place.lock().map_err(broken)? else {
                thread::sleep(STEP);
                continue;
            };
            // Between the last look and the lock it may have been renewed.
            let outcome = place.outcome();
            if outcome.as_ref() != before
                && let Some(result) = self.result(key, outcome)?
            {
                return result;
            }
            if let Some(record) = self.again(key)? {
                return Ok(record);
            }
            if starts == STARTS {
                return Err(RenewError::Unreachable(
                    "the process that renews it ends at once".to_owned(),
                ));
            }
            starts += 1;
            write(&mut file, &renewal::ticket(key)).map_err(broken)?;
            let Some(renewer) = self.renewer.as_mut() else { return Err(RenewError::Busy) };
            if !renewer.run(file, left).map_err(broken)? {
                return Err(RenewError::Busy);
            }
        }
    }

    /// Returns what a renewal that ended meanwhile means. `None`: nothing yet.
    fn result(
        &mut self,
        key: &Key,
        outcome: Option<Outcome>,
    ) -> Result<Option<Result<Record, RenewError>>, RenewError> {
        Ok(match outcome.map(|outcome| outcome.what) {
            None => None,
            Some(What::Renewed) => self.again(key)?.map(Ok),
            Some(What::Rejected { why, .. }) => Some(Err(RenewError::Rejected(why))),
            Some(What::Failed(why)) => Some(Err(RenewError::Unreachable(why))),
        })
    }

    /// Reads the record anew; one that has not ended is what everybody waits for.
    fn again(&mut self, key: &Key) -> Result<Option<Record>, RenewError> {
        // Everybody who has waited asks at the same moment.
        let query = query(key);
        let records = patient(|| self.store.find(&query)).map_err(RenewError::Store)?;
        let is_it = |record: &Record| {
            record.entry.key == *key
                && record.entry.hidden.is_none()
                && !is_expired(record, self.now)
        };
        Ok(records.into_iter().find(is_it))
    }
}

/// Names the files of one login's renewals.
pub fn place(state: &Path, key: &Key) -> Place {
    let file = |end: &str| state.join("renew").join(format!("{}.{end}", renewal::name(key)));
    Place { lock: file("lock"), outcome: file("outcome"), sent: file("sent") }
}

/// Asks a store until it answers in time: many ask it at once.
pub fn patient<T>(mut ask: impl FnMut() -> Result<T, store::Error>) -> Result<T, store::Error> {
    for _ in 1..TRIES {
        match ask() {
            Err(store::Error::Silent(_)) => thread::sleep(CALM),
            answer => return answer,
        }
    }
    ask()
}

/// Returns the question for one record. A path that is absent is any path: the answer is looked through.
pub fn query(key: &Key) -> Query {
    let Key { kind, origin, path, user } = key.clone();
    Query { kind, origin: Some(origin), path, user: Some(user) }
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.rewind()
}
