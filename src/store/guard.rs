//! The guard's memory: which secrets a corporate proxy has rejected, or a module proxy, across restarts.
//!
//! It never keeps a secret or a plain hash of one: a line is an HMAC under a key that lives in the
//! keyring, bound to upstream, realm and account (decisions.md, "Guard"). Without a keyring nothing
//! is written, and the process remembers for itself. A file that cannot be read may hold any secret:
//! then each counts as rejected.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    core::{
        credential::{Key, Kind, Proof, Query, Secrets, UnixTime},
        origin::Origin,
        secret::{ExposeSecret, SecretString},
    },
    store::{self, Error, Store},
    sys::{clock, files},
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// The most rejections that are kept; the oldest are dropped first.
const MAX_LINES: usize = 64;
/// The first word of each line: its format.
const FORMAT: &str = "v1";

/// Whose rejections are remembered. Each has a file of its own: tokens that module proxies reject by the
/// dozen must not push out a password that a directory counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Corporate proxies.
    Proxies,
    /// Module proxies, and whom they redirect to.
    ModuleProxies,
}

/// A secret, where it was sent, and as whom.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The proxy, exactly as it is configured.
    pub upstream: &'a Origin,
    /// The realm of its challenge (RFC 9110 §11.5); of a module proxy, which is not waited for, the field
    /// and the path instead.
    pub realm: &'a str,
    /// The account.
    pub user: &'a str,
    /// The secret.
    pub password: &'a SecretString,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It was damaged, and is here now.
    #[error("the memory of rejected passwords was damaged; it was moved to {}", .0.display())]
    Moved(PathBuf),
    /// The system does not give it.
    #[error(
        "no password is sent to a proxy: the memory of rejected ones, {}, cannot be read: {what}; \
         mend that, or move the file away",
        file.display()
    )]
    Unreadable {
        /// Where it is.
        file: PathBuf,
        /// What the system says.
        what: String,
    },
}

/// The memory of one user.
#[derive(Debug)]
pub struct Guard {
    file: PathBuf,
    /// The key of the keyring, once it was read there.
    key: OnceLock<SecretString>,
    /// The key of this process, where there is no other, and what was rejected under it.
    memory: Mutex<Memory>,
    /// What nobody was told yet.
    damage: Mutex<Option<Damage>>,
    /// Whether it was last seen to be unreadable, which is told once.
    is_unreadable: AtomicBool,
}

#[derive(Debug)]
struct Memory {
    key: SecretString,
    rejected: BTreeSet<String>,
}

impl Guard {
    /// Opens a memory in the state folder. The error is a system without randomness.
    pub fn open(state: &Path, of: Of) -> io::Result<Self> {
        let memory = Mutex::new(Memory { key: random_key()?, rejected: BTreeSet::new() });
        Ok(Self {
            file: file(state, of),
            key: OnceLock::new(),
            memory,
            damage: Mutex::default(),
            is_unreadable: AtomicBool::new(false),
        })
    }

    /// Returns whether this secret was rejected there before, or may have been: the file cannot be
    /// read. A damaged one is moved aside and remembers nothing.
    pub fn knows(&self, attempt: &Attempt<'_>, store: &mut dyn Store) -> bool {
        let here = {
            let memory = self.memory();
            memory.rejected.contains(&fingerprint(&memory.key, attempt))
        };
        let lines = self.lines();
        // Where nothing was ever rejected, no store has to be opened.
        if matches!(&lines, Ok(lines) if lines.is_empty()) {
            self.is_unreadable.store(false, Ordering::Release);
            return here;
        }
        let Some(key) = self.key(store) else { return here };
        let print = fingerprint(key, attempt);
        let is_new = self.is_unreadable.swap(lines.is_err(), Ordering::AcqRel) != lines.is_err();
        match lines {
            Ok(lines) => here || lines.iter().any(|line| line.print == print),
            Err(error) => {
                if is_new {
                    let (file, what) = (self.file.clone(), error.to_string());
                    self.note(Damage::Unreadable { file, what });
                }
                true
            }
        }
    }

    /// Remembers a rejected secret.
    pub fn remember(&self, attempt: &Attempt<'_>, store: &mut dyn Store) {
        let written = self.key(store).map(|key| {
            let line = Line {
                upstream: attempt.upstream.to_string(),
                print: fingerprint(key, attempt),
                at: clock::now(),
            };
            self.append(line)
        });
        if !matches!(written, Some(Ok(()))) {
            let mut memory = self.memory();
            let print = fingerprint(&memory.key, attempt);
            memory.rejected.insert(print);
        }
    }

    fn append(&self, line: Line) -> io::Result<()> {
        let _lock = files::lock(&self.file)?;
        let mut lines = self.lines()?;
        lines.retain(|known| known.print != line.print);
        lines.push(line);
        let surplus = lines.len().saturating_sub(MAX_LINES);
        write(&self.file, lines.iter().skip(surplus))
    }

    /// Reads the file. A damaged one is moved aside, so that nothing is lost. One that the system
    /// does not open now (no files left, no permission) is not damaged: it stays.
    fn lines(&self) -> io::Result<Vec<Line>> {
        match read(&self.file) {
            Ok(lines) => Ok(lines),
            Err(Unreadable::Now(error)) => Err(error),
            Err(Unreadable::Damaged) => {
                let aside = files::move_aside(&self.file, clock::now())?;
                self.note(Damage::Moved(aside));
                Ok(Vec::new())
            }
        }
    }

    /// Returns what is wrong with the file, once: it is for the caller to say so.
    pub fn damage(&self) -> Option<Damage> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, damage: Damage) {
        *self.damage.lock().unwrap_or_else(PoisonError::into_inner) = Some(damage);
    }

    /// Returns the key of the keyring, which is made on first use.
    fn key(&self, store: &mut dyn Store) -> Option<&SecretString> {
        if self.key.get().is_none() {
            let key = stored_key(store).ok()?;
            let _ = self.key.set(key);
        }
        self.key.get()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns where a memory is, below the state folder.
pub fn file(state: &Path, of: Of) -> PathBuf {
    state.join(match of {
        Of::Proxies => "guard",
        Of::ModuleProxies => "guard-goproxy",
    })
}

/// Forgets the rejections of an upstream, so that its secret is tried again although it is the same:
/// what `login` does when the user insists.
pub fn forget(state: &Path, of: Of, upstream: &Origin) -> Result<Option<Damage>, Error> {
    let file = file(state, of);
    let unusable =
        |error: io::Error| Error::File { file: file.clone(), line: 0, what: error.to_string() };
    if !file.exists() {
        return Ok(None);
    }
    let _lock = files::lock(&file).map_err(unusable)?;
    let upstream = upstream.to_string();
    let lines = match read(&file) {
        Ok(lines) => lines,
        Err(Unreadable::Now(error)) => return Err(unusable(error)),
        // It forgets everything, and is kept for whoever wants to know why.
        Err(Unreadable::Damaged) => {
            let aside = files::move_aside(&file, clock::now()).map_err(unusable)?;
            return Ok(Some(Damage::Moved(aside)));
        }
    };
    // Names of hosts have no case.
    let others = lines.iter().filter(|line| !line.upstream.eq_ignore_ascii_case(&upstream));
    write(&file, others).map_err(unusable)?;
    Ok(None)
}

/// One rejection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    upstream: String,
    print: String,
    at: UnixTime,
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (format, upstream) = (words.next()?, words.next()?);
        let (print, at) = (words.next()?, words.next()?.parse().ok()?);
        let whole = words.next().is_none()
            && format == FORMAT
            && print.len() == 64
            && print.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then(|| Self { upstream: upstream.to_owned(), print: print.to_owned(), at })
    }
}

/// Why there are no lines.
enum Unreadable {
    /// The system does not give them.
    Now(io::Error),
    /// There is something else.
    Damaged,
}

fn read(file: &Path) -> Result<Vec<Line>, Unreadable> {
    // What the system refuses has a number; what the reader refuses (too large, a folder) has none.
    let bytes = files::read(file, MAX_FILE).map_err(|error| match error.raw_os_error() {
        Some(_) => Unreadable::Now(error),
        None => Unreadable::Damaged,
    })?;
    let text = String::from_utf8(bytes.unwrap_or_default()).map_err(|_| Unreadable::Damaged)?;
    text.lines().map(|line| Line::parse(line).ok_or(Unreadable::Damaged)).collect()
}

fn write<'a>(file: &Path, lines: impl Iterator<Item = &'a Line>) -> io::Result<()> {
    let line = |Line { upstream, print, at }: &Line| format!("{FORMAT} {upstream} {print} {at}\n");
    files::write_private(file, lines.map(line).collect::<String>().as_bytes())
}

/// Reads the guard's key, or makes it.
fn stored_key(store: &mut dyn Store) -> Result<SecretString, Error> {
    let refused = |error: &dyn ToString| Error::Refused(error.to_string());
    let origin = Origin::new("gocred", "guard").map_err(|error| refused(&error))?;
    let found = store.find(&Query::origin(Kind::Internal, origin.clone()))?;
    for record in found {
        if let Proof::Password(key) = record.secrets.proof {
            return Ok(key);
        }
    }
    let key = random_key().map_err(|error| refused(&error))?;
    let secrets = Secrets::of(Proof::Password(key.clone()));
    let name = Key { kind: Kind::Internal, origin, path: None, user: String::new() };
    store.save(&store::record(name, secrets, None, clock::now()))?;
    Ok(key)
}

fn random_key() -> io::Result<SecretString> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(hex(&key).into())
}

/// HMAC-SHA256 over everything that makes one login differ from another, each part with its length.
fn fingerprint(key: &SecretString, attempt: &Attempt<'_>) -> String {
    let Attempt { upstream, realm, user, password } = *attempt;
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else {
        return String::new();
    };
    for part in [&upstream.to_string(), realm, user, password.expose_secret()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Attempt, Guard, Of};
    use crate::{
        core::{
            credential::{Entry, Hidden, Key, Query, Record},
            origin::Origin,
        },
        store::{Error, Saved, Store},
    };

    fn open(state: &Path) -> Guard {
        Guard::open(state, Of::Proxies).unwrap()
    }

    fn file(state: &Path) -> PathBuf {
        super::file(state, Of::Proxies)
    }

    fn forget(state: &Path, upstream: &str) {
        super::forget(state, Of::Proxies, &Origin::new("http", upstream).unwrap()).unwrap();
    }

    /// A keyring in memory, or one that is not there.
    struct Fake(Option<Vec<Record>>);

    impl Store for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }
        fn list(&mut self, _: &Query) -> Result<Vec<Entry>, Error> {
            unreachable!()
        }
        fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
            let records = self.0.as_ref().ok_or(Error::Locked)?;
            Ok(records.iter().filter(|record| query.matches(&record.entry.key)).cloned().collect())
        }
        fn save(&mut self, record: &Record) -> Result<Saved, Error> {
            self.0.as_mut().ok_or(Error::Locked)?.push(record.clone());
            Ok(Saved::Written)
        }
        fn mark(&mut self, _: &Key, _: Option<&Hidden>) -> Result<(), Error> {
            unreachable!()
        }
        fn remove(&mut self, _: &Key) -> Result<(), Error> {
            unreachable!()
        }
    }

    fn with_attempt<T>(password: &str, use_it: impl FnOnce(&Attempt<'_>) -> T) -> T {
        let upstream = Origin::new("http", "p:3128").unwrap();
        use_it(&Attempt {
            upstream: &upstream,
            realm: "r",
            user: "ana",
            password: &password.into(),
        })
    }

    #[test]
    fn a_rejection_outlives_the_process_and_names_no_secret() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let guard = open(state.path());
        with_attempt("hunter2", |attempt| guard.remember(attempt, &mut store));
        let text = std::fs::read_to_string(file(state.path())).unwrap();
        assert!(text.starts_with("v1 http://p:3128 ") && !text.contains("hunter2"), "{text}");
        let guard = open(state.path());
        assert!(with_attempt("hunter2", |attempt| guard.knows(attempt, &mut store)));
        assert!(!with_attempt("hunter3", |attempt| guard.knows(attempt, &mut store)));
        let other = Origin::new("http", "q:3128").unwrap();
        let elsewhere =
            Attempt { upstream: &other, realm: "r", user: "ana", password: &"hunter2".into() };
        assert!(!guard.knows(&elsewhere, &mut store));
    }

    #[test]
    fn without_a_keyring_the_process_remembers_and_no_file_does() {
        let state = tempfile::tempdir().unwrap();
        let guard = open(state.path());
        with_attempt("hunter2", |attempt| guard.remember(attempt, &mut Fake(None)));
        assert!(!file(state.path()).exists());
        assert!(with_attempt("hunter2", |attempt| guard.knows(attempt, &mut Fake(None))));
        // Also when the keyring comes back.
        let mut store = Fake(Some(Vec::new()));
        assert!(with_attempt("hunter2", |attempt| guard.knows(attempt, &mut store)));
    }

    #[test]
    fn what_is_forgotten_may_be_tried_again() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let guard = open(state.path());
        with_attempt("hunter2", |attempt| guard.remember(attempt, &mut store));
        forget(state.path(), "other:1");
        assert!(with_attempt("hunter2", |attempt| guard.knows(attempt, &mut store)));
        forget(state.path(), "p:3128");
        assert!(!with_attempt("hunter2", |attempt| guard.knows(attempt, &mut store)));
    }

    #[test]
    fn what_module_proxies_reject_is_remembered_apart() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let (proxies, modules) =
            (open(state.path()), Guard::open(state.path(), Of::ModuleProxies).unwrap());
        with_attempt("hunter2", |attempt| modules.remember(attempt, &mut store));
        assert!(with_attempt("hunter2", |attempt| modules.knows(attempt, &mut store)));
        assert!(!with_attempt("hunter2", |attempt| proxies.knows(attempt, &mut store)));
        forget(state.path(), "p:3128");
        assert!(with_attempt("hunter2", |attempt| modules.knows(attempt, &mut store)));
        let upstream = Origin::new("http", "P:3128").unwrap();
        super::forget(state.path(), Of::ModuleProxies, &upstream).unwrap();
        assert!(!with_attempt("hunter2", |attempt| modules.knows(attempt, &mut store)));
    }

    #[test]
    fn where_nothing_was_rejected_no_store_is_opened() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let guard = open(state.path());
        assert!(!with_attempt("hunter2", |attempt| guard.knows(attempt, &mut store)));
        assert_eq!(store.0.map(|records| records.len()), Some(0));
    }

    #[test]
    fn a_damaged_file_is_moved_aside() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let guard = open(state.path());
        std::fs::create_dir_all(state.path()).unwrap();
        crate::sys::files::write_private(&file(state.path()), b"v1 x y z\n").unwrap();
        with_attempt("hunter2", |attempt| guard.remember(attempt, &mut store));
        assert!(with_attempt("hunter2", |attempt| guard.knows(attempt, &mut store)));
        let names: Vec<String> = std::fs::read_dir(state.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(names.iter().any(|name| name.starts_with("guard.damaged-")), "{names:?}");
        crate::sys::files::write_private(&file(state.path()), b"\xff").unwrap();
        forget(state.path(), "p");
        assert!(!file(state.path()).exists());
    }

    #[cfg(unix)]
    #[test]
    fn while_the_system_does_not_open_the_file_each_secret_counts_as_rejected() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let guard = open(state.path());
        let file = file(state.path());
        std::os::unix::fs::symlink(&file, &file).unwrap();
        with_attempt("hunter2", |attempt| guard.remember(attempt, &mut store));
        let mut knows =
            |password| with_attempt(password, |attempt| guard.knows(attempt, &mut store));
        assert!(guard.damage().is_none());
        assert!(knows("hunter2") && knows("hunter3"));
        // It is said once, with what to mend.
        let told = guard.damage().map(|damage| damage.to_string()).unwrap_or_default();
        assert!(told.contains(&file.display().to_string()), "{told}");
        assert!(knows("hunter3") && guard.damage().is_none());
        assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink());
        // Mended: what was rejected meanwhile is remembered by the process.
        std::fs::remove_file(&file).unwrap();
        assert!(knows("hunter2") && !knows("hunter3"));
    }

    #[test]
    fn only_the_last_rejections_are_kept() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Fake(Some(Vec::new()));
        let guard = open(state.path());
        for number in 0..70 {
            with_attempt(&number.to_string(), |attempt| guard.remember(attempt, &mut store));
        }
        assert!(!with_attempt("5", |attempt| guard.knows(attempt, &mut store)));
        assert!(with_attempt("6", |attempt| guard.knows(attempt, &mut store)));
        assert!(with_attempt("69", |attempt| guard.knows(attempt, &mut store)));
    }
}
