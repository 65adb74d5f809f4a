//! Layer 2: where secrets are kept. Synchronous; errors name the consequence for the caller.

#[cfg(feature = "full")]
pub(crate) mod agent_memory;
#[cfg(feature = "full")]
mod announced;
#[cfg(target_os = "linux")]
mod answers;
#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod conversation;
#[cfg(feature = "full")]
pub mod detect;
#[cfg(all(target_os = "linux", feature = "full"))]
mod dh;
#[cfg(feature = "full")]
mod elsewhere;
#[cfg(feature = "full")]
pub mod file;
#[cfg(all(target_os = "linux", feature = "full"))]
mod foreign;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod gnome;
#[cfg(feature = "full")]
pub mod guard;
pub mod index;
mod item;
#[cfg(all(target_os = "linux", feature = "full"))]
mod kernel;
#[cfg(feature = "full")]
pub mod keys;
#[cfg(feature = "full")]
mod layered;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(any(target_os = "macos", target_os = "windows", test))]
pub mod native;
pub mod netrc;
#[cfg(feature = "full")]
pub mod plaintext;
#[cfg(target_os = "linux")]
mod prompt;
#[cfg(target_os = "linux")]
mod secret_client;
#[cfg(target_os = "linux")]
pub mod secret_service;
#[cfg(target_os = "linux")]
pub mod secret_service_keyring;
#[cfg(feature = "full")]
pub mod strongest;
#[cfg(target_os = "linux")]
mod transfer;
#[cfg(feature = "full")]
pub(crate) mod unusable;
#[cfg(target_os = "linux")]
mod watched;
#[cfg(feature = "full")]
pub(crate) mod whole;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{
    core::{
        choice::Choice,
        config::Config,
        credential::{Entry, Hidden, Key, Query, Record, Secrets, UnixTime},
        gitproto::receipt::Source,
    },
    sys::{env::Env, paths::Paths},
};

/// A place that keeps secrets and can change them.
///
/// Every call ends within the store's time limits; none of them prompts.
pub trait Store: Send {
    /// Returns the name that `status` shows, such as `gnome-keyring`.
    fn name(&self) -> &'static str;

    /// Returns what matches, without releasing a secret, hidden entries included.
    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error>;

    /// Returns what matches, with secrets, hidden entries included, in no particular order.
    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error>;

    /// Writes a record under its key, replacing what was there and un-hiding it.
    /// An identical visible record is left alone: nothing is written.
    fn save(&mut self, record: &Record) -> Result<Saved, Error>;

    /// Sets or clears the mark that keeps a record from being answered.
    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error>;

    /// Removes a record for good.
    fn remove(&mut self, key: &Key) -> Result<(), Error>;

    /// Returns what answers from here are told as.
    fn source(&self) -> Source {
        Source::Keyring
    }

    /// Returns what is wrong here and kept nothing from being answered, once.
    fn damage(&mut self) -> Option<Error> {
        None
    }
}

/// What [`Store::save`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The same secret was there, visible; nothing was written.
    Unchanged,
    /// It was written.
    Written,
}

/// Why a store did not answer. *Missing* is not an error: it is an empty answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The keyring is locked. Never to be taken for "missing".
    #[error("the keyring is locked")]
    Locked,
    /// The account has no keyring yet: nothing was ever stored in it. Not to be taken for "missing"
    /// either: what a restored or another keyring holds is not known.
    #[error("there is no keyring yet in this account")]
    NoCollection,
    /// There is no keyring to talk to: no session bus, or nobody provides the service.
    #[error("there is no keyring service: {0}")]
    NoService(String),
    /// The service took the request and did not answer in time.
    #[error("the keyring service did not answer within {0} ms")]
    Silent(u64),
    /// The service answered with an error, or not in its protocol.
    #[error("the keyring service failed: {0}")]
    Service(String),
    /// What the keyring holds under a name of ours is not what we write there.
    #[error("{0}")]
    Damaged(String),
    /// It takes more than the small helper can do, and the whole program can.
    #[error("gocred is needed for this, beside its small helper")]
    Elsewhere,
    /// A file of ours, or one that we read, cannot be used.
    #[error("{}: {what}", place(file, *line))]
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1; 0 is the whole file.
        line: usize,
        /// What is wrong, never with a value.
        what: String,
    },
    /// The secret cannot be kept here.
    #[error("{0}")]
    Refused(String),
    /// There is no room left for it.
    #[error("{0}")]
    Full(String),
    /// The store wants to ask a person, and nobody is asked on a read.
    #[error("the keyring wants to ask you something first")]
    Prompt,
    /// The encrypted file is there, and no key of it is at hand. `hint` is the command that brings it.
    #[error("the {store} is not unlocked")]
    NotOpen {
        /// Which one.
        store: &'static str,
        /// The command to paste.
        hint: &'static str,
    },
    /// It can be read, and not be written.
    #[error("{0}")]
    ReadOnly(&'static str),
    /// An older state of the file than the one that was seen last. It is told, and the file is used.
    #[error("the encrypted file is an older one: generation {found}, and {seen} was seen")]
    Rollback {
        /// The generation that was seen last.
        seen: u64,
        /// The one that was found.
        found: u64,
    },
    /// The secrets are in a file that everybody can read who reads it. It is told, and the file is used.
    #[cfg(feature = "full")]
    #[error("secrets are kept in clear text in {}; `gocred login HOST --store file` encrypts", .0.display())]
    InClear(PathBuf),
    /// The agent, in whose memory alone the secrets are, cannot be asked.
    #[cfg(feature = "full")]
    #[error("secrets are only in the memory of the agent, which {0}")]
    NoAgent(&'static str),
    /// Somebody else than a store keeps it from being given: a source, a renewal, the audit.
    #[error("{what}")]
    Withheld {
        /// Its code, such as `A32`.
        code: &'static str,
        /// What happened, never with a secret.
        what: String,
    },
}

impl Error {
    /// Returns its code, which never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "K05",
            #[cfg(feature = "full")]
            Self::NoAgent(_) => "K01",
            Self::NoService(_) => "K06",
            Self::Service(_) => "K07",
            Self::Damaged(_)
            | Self::File { file: _, line: _, what: _ }
            | Self::Rollback { seen: _, found: _ } => "K08",
            Self::Full(_) => "K09",
            Self::Silent(_) => "K17",
            Self::Prompt => "K18",
            Self::NotOpen { store: _, hint: _ } => "K19",
            Self::Elsewhere | Self::ReadOnly(_) | Self::Refused(_) => "K20",
            #[cfg(feature = "full")]
            Self::InClear(_) => "K20",
            Self::NoCollection => "K27",
            Self::Withheld { code, what: _ } => code,
        }
    }

    /// Returns whether only a person can change it: the same question again is the same answer.
    pub fn waits_for_a_person(&self) -> bool {
        match self {
            Self::Locked
            | Self::NoCollection
            | Self::NotOpen { store: _, hint: _ }
            | Self::Prompt => true,
            #[cfg(feature = "full")]
            Self::InClear(_) | Self::NoAgent(_) => false,
            Self::Damaged(_)
            | Self::Elsewhere
            | Self::File { file: _, line: _, what: _ }
            | Self::Full(_)
            | Self::NoService(_)
            | Self::ReadOnly(_)
            | Self::Refused(_)
            | Self::Rollback { seen: _, found: _ }
            | Self::Service(_)
            | Self::Silent(_)
            | Self::Withheld { code: _, what: _ } => false,
        }
    }

    /// Returns the command that brings one further, to paste.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Locked | Self::NoCollection => "gocred unlock",
            Self::NotOpen { store: _, hint } => hint,
            #[cfg(feature = "full")]
            Self::NoAgent(_) => "gocred agent start",
            #[cfg(feature = "full")]
            Self::InClear(_) => "gocred status --store",
            Self::Damaged(_)
            | Self::Elsewhere
            | Self::File { file: _, line: _, what: _ }
            | Self::Full(_)
            | Self::NoService(_)
            | Self::Prompt
            | Self::ReadOnly(_)
            | Self::Refused(_)
            | Self::Rollback { seen: _, found: _ }
            | Self::Service(_)
            | Self::Silent(_) => "gocred status --store",
            Self::Withheld { code: "K15", what: _ } => "gocred audit verify",
            Self::Withheld { code: _, what: _ } => "gocred status",
        }
    }
}

/// What a store is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The environment at the start.
    pub env: &'a Env,
    /// Where the files are.
    pub paths: &'a Paths,
    /// `config.toml`.
    pub config: &'a Config,
}

/// Returns the store that is chosen: `GOCRED_STORE`, else `[store] name`, else the keyring.
pub fn choice(env: &Env, config: &Config) -> Result<Choice, Error> {
    match env.text("GOCRED_STORE") {
        Some(name) => Choice::parse(name).ok_or_else(|| {
            let known = Choice::ALL.map(Choice::as_str).join(", ");
            Error::Refused(format!("GOCRED_STORE names no store; there are {known}"))
        }),
        None => Ok(config.store.name.unwrap_or(Choice::Keyring)),
    }
}

/// Returns the store that is chosen. It is asked for nothing before the first call; what is wrong with
/// the choice is each call's answer, and no other store is opened instead.
#[cfg(feature = "full")]
pub fn open(desk: &Desk<'_>) -> Box<dyn Store> {
    Box::new(announced::Announced { inner: chosen(desk), state: desk.paths.state.clone() })
}

#[cfg(feature = "full")]
fn chosen(desk: &Desk<'_>) -> Box<dyn Store> {
    let session = desk.config.secret_service.session;
    match choice(desk.env, desk.config) {
        #[cfg(target_os = "linux")]
        Ok(Choice::Keyring)
            if desk.config.store.fallback.contains(&crate::core::config::Fallback::Libsecret) =>
        {
            let keyring = keyring_by(desk.env, session);
            let both = foreign::WithForeign::new(keyring, desk.env, session);
            Box::new(layered::Layered::new(Box::new(both), desk))
        }
        Ok(Choice::Keyring) => Box::new(layered::Layered::new(keyring_by(desk.env, session), desk)),
        Ok(Choice::File) => Box::new(file::FileStore::new(desk)),
        #[cfg(target_os = "linux")]
        Ok(Choice::Kernel) => Box::new(whole::Whole(kernel::Kernel::new(desk))),
        #[cfg(not(target_os = "linux"))]
        Ok(Choice::Kernel) => {
            let what = "the kernel of this system keeps no keys; `--store keyring` does";
            Box::new(unusable::Unusable(Error::Refused(what.to_owned())))
        }
        Ok(Choice::Agent) => Box::new(agent_memory::AgentMemory::new(desk)),
        Ok(Choice::OpenBao) => Box::new(elsewhere::Elsewhere),
        Ok(Choice::Plaintext) => Box::new(plaintext::Plaintext::new(desk)),
        Err(error) => Box::new(unusable::Unusable(error)),
    }
}

/// Returns the keyring of this system, with secrets travelling as it is configured.
#[cfg(feature = "full")]
pub(crate) fn keyring_by(env: &Env, session: crate::core::config::Session) -> Box<dyn Store> {
    #[cfg(target_os = "linux")]
    return Box::new(secret_service::SecretService::by(env, session));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = session;
        keyring(env)
    }
}

/// Returns the keyring of this system. It is asked for nothing before the first call.
pub fn keyring(env: &Env) -> Box<dyn Store> {
    #[cfg(target_os = "linux")]
    return Box::new(secret_service::SecretService::new(env));
    #[cfg(any(target_os = "macos", target_os = "windows"))]
    return Box::new(native::Native::open(env));
}

/// Names a place in a file for people; line 0 is the whole file.
pub(crate) fn place(file: &Path, line: usize) -> String {
    let file = file.display();
    if line == 0 { file.to_string() } else { format!("{file}:{line}") }
}

/// Builds a record that was just learned.
pub fn record(key: Key, secrets: Secrets, expires: Option<UnixTime>, now: UnixTime) -> Record {
    Record { entry: Entry { key, expires, stored: now, hidden: None }, secrets }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::{Desk, Error, choice, open};
    use crate::{
        core::{
            choice::Choice,
            config::Config,
            credential::{Kind, Query},
        },
        sys::{env::Env, paths::Paths},
    };

    #[test]
    fn the_variable_chooses_before_the_configuration() {
        let file = Config::parse("[store]\nname = \"file\"").unwrap();
        let env = |name| Env::of(&[("GOCRED_STORE", name)]);
        assert_eq!(choice(&Env::of(&[]), &Config::default()), Ok(Choice::Keyring));
        assert_eq!(choice(&Env::of(&[]), &file), Ok(Choice::File));
        assert_eq!(choice(&env("kernel"), &file), Ok(Choice::Kernel));
        assert!(matches!(choice(&env("vault"), &file), Err(Error::Refused(_))));
    }

    #[test]
    fn a_store_that_cannot_be_used_is_its_own_error_and_no_other_store() {
        let env = Env::of(&[("HOME", "/nonexistent"), ("GOCRED_STORE", "vault")]);
        let (paths, config) = (Paths::resolve(&env).unwrap(), Config::default());
        let mut store = open(&Desk { env: &env, paths: &paths, config: &config });
        let error = store.find(&Query::all(Kind::Git)).unwrap_err();
        assert_eq!(error.code(), "K20");
        assert!(error.to_string().contains("GOCRED_STORE"), "{error}");
    }
}
