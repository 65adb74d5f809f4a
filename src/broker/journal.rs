//! What is released is written down first.

use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::{
    broker::{Broker, Found, Question},
    core::{
        account::Rule,
        audit::{Caller, Line, Released, Via, fingerprint},
        config::Config,
        credential::{Entry, Proof, Record},
        gitproto::receipt::Source,
        secret::SecretString,
    },
    store,
    sys::{clock, files, journal, paths::Paths, peer, process, random},
};

/// Writes down what is about to be released. Who asks, its maker knows.
pub trait Journal: Send {
    /// Writes a release down, before the answer leaves [`Broker::ask`].
    fn record(&mut self, release: &Release<'_>) -> Result<(), Unrecorded>;

    /// Returns why something was released without a record, once.
    fn omission(&mut self) -> Option<Unrecorded> {
        None
    }
}

/// A credential that is about to be released.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The credential.
    pub record: &'a Record,
    /// Which secret of it.
    pub part: Secret,
    /// Where it comes from.
    pub source: Source,
    /// The question, as it was asked.
    pub question: &'a Question<'a>,
    /// The rule that chose the account, if one did.
    pub rule: Option<&'a Rule>,
}

/// A secret of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// What proves who we are.
    Proof,
    /// What renews it.
    RefreshToken,
}

impl Release<'_> {
    fn secret(&self) -> Option<&SecretString> {
        let secrets = &self.record.secrets;
        match (self.part, &secrets.proof) {
            (Secret::RefreshToken, _) => secrets.refresh_token.as_ref(),
            (Secret::Proof, Proof::Password(secret)) => Some(secret),
            (Secret::Proof, Proof::Encoded { authtype: _, credential }) => Some(credential),
        }
    }
}

/// It could not be written down.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unrecorded(pub String);

impl From<Unrecorded> for store::Error {
    fn from(unrecorded: Unrecorded) -> Self {
        Self::Withheld { code: "K15", what: unrecorded.0 }
    }
}

impl Broker<'_> {
    /// Writes down what an answer releases, where there is a journal.
    pub(super) fn release(
        &mut self,
        found: &Found,
        question: &Question<'_>,
        rule: Option<&Rule>,
    ) -> Result<(), store::Error> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let (record, part, source) = match found {
            Found::Complete(record, source) => (record, Secret::Proof, *source),
            // What we renew ourselves is told to nobody.
            Found::Renewable(record) if record.secrets.session.is_some() => return Ok(()),
            Found::Renewable(record) => (record, Secret::RefreshToken, self.store.source()),
        };
        Ok(journal.record(&Release { record, part, source, question, rule })?)
    }
}

/// Whose question it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// That of the process which started this one.
    ByParent,
    /// That of the process which started this other one, a helper.
    #[cfg(feature = "full")]
    ByParentOf(i32),
    /// That of this process.
    #[cfg(feature = "full")]
    ByItself,
}

/// The file of the audit.
#[derive(Debug)]
pub struct Log {
    file: PathBuf,
    key: PathBuf,
    is_required: bool,
    via: Via,
    asked: Asked,
    begun: Instant,
    caller: Option<Caller>,
    omission: Option<Unrecorded>,
}

/// The name of the file with the key of the fingerprints, in the state folder.
const KEY: &str = "audit.key";
/// How many processes are named where each costs the helper three system calls.
const FEW: usize = 2;
/// How many are named elsewhere.
const MANY: usize = 6;

impl Log {
    /// Starts with a question. `None`: nothing is to be written down.
    pub fn of(config: &Config, paths: &Paths, via: Via, asked: Asked) -> Option<Self> {
        let audit = &config.audit;
        if !audit.enabled && !audit.required {
            return None;
        }
        Some(Self {
            file: audit.file.as_ref().unwrap_or(&paths.audit).clone(),
            key: paths.state.join(KEY),
            is_required: audit.required,
            via,
            asked,
            begun: Instant::now(),
            caller: None,
            omission: None,
        })
    }

    fn write(&mut self, release: &Release<'_>) -> io::Result<()> {
        let Self { file, key: key_file, via, asked, begun, caller, .. } = self;
        let caller = caller.get_or_insert_with(|| who(*via, *asked));
        let Release { record, part: _, source, question, rule } = release;
        let Entry { key: account, .. } = &record.entry;
        let rule = rule.map(Rule::table);
        let line = |key: &Key| {
            let mac = release.secret().map(|secret| fingerprint(key, secret)).unwrap_or_default();
            let released = Released {
                caller,
                origin: question.origin,
                path: question.path.or(account.path.as_deref()),
                user: &account.user,
                mac: &mac,
                source: source.as_str(),
                rule: rule.as_deref(),
                micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            };
            Line::released(&released, clock::now_millis())
        };
        // Nobody waits for what can be done before the file is locked.
        let mut ready = read_key(key_file)?.map(|key| line(&key));
        journal::append(file, &mut || match ready.take() {
            Some(line) => Ok(line),
            None => Ok(line(&make_key(key_file)?)),
        })
    }
}

impl Journal for Log {
    fn record(&mut self, release: &Release<'_>) -> Result<(), Unrecorded> {
        let Err(error) = self.write(release) else { return Ok(()) };
        let file = self.file.display();
        let what = format!("what is released cannot be written down in {file}: {error}");
        let unrecorded = Unrecorded(what);
        if self.is_required {
            return Err(unrecorded);
        }
        self.omission = Some(unrecorded);
        Ok(())
    }

    fn omission(&mut self) -> Option<Unrecorded> {
        self.omission.take()
    }
}

/// Finds out who asked.
fn who(via: Via, asked: Asked) -> Caller {
    let most = if via == Via::Helper { FEW } else { MANY };
    let chain = match asked {
        Asked::ByParent => process::parent().map_or_else(Vec::new, |pid| process::chain(pid, most)),
        #[cfg(feature = "full")]
        Asked::ByItself => {
            process::chain(i32::try_from(std::process::id()).unwrap_or_default(), most)
        }
        // What asked us is the helper, which asks for somebody.
        #[cfg(feature = "full")]
        Asked::ByParentOf(pid) => process::chain(pid, most + 1).into_iter().skip(1).collect(),
    };
    let program = chain.first().and_then(|first| process::program(first.pid));
    Caller { uid: peer::own_uid(), via, chain, program }
}

/// The key of the fingerprints.
type Key = Zeroizing<[u8; 32]>;

/// Reads it. `None`: it is missing or too short.
#[inline(never)]
fn read_key(path: &Path) -> io::Result<Option<Key>> {
    let mut key = Key::default();
    match files::read_exactly(path, key.as_mut_slice()) {
        Ok(()) => Ok(Some(key)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Makes one, unless somebody else has meanwhile: the lock of the log is held. Fingerprints of before
/// cannot be compared with later ones then, and nothing else is lost.
fn make_key(path: &Path) -> io::Result<Key> {
    if let Some(key) = read_key(path)? {
        return Ok(key);
    }
    let mut key = Key::default();
    random::fill(key.as_mut_slice())?;
    files::write_private(path, key.as_slice())?;
    Ok(key)
}
