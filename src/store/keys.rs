//! Who opens the encrypted file: what is at hand is tried in order, the cheap before the dear, and
//! nobody is asked. A passphrase that a person typed is given to [`Keys`] by who asked for it.

use std::{path::PathBuf, time::Duration};

use crate::{
    core::{
        config::Remember,
        secret::{ExposeSecret, SecretString},
        vault::{
            Malformed, SealKey,
            format::{Header, Id},
            wrap::{Costs, Kind, Label, Wrap},
        },
    },
    store::{Desk, Error},
    sys::{env::Env, random, secret_file},
};

/// What a person calls the store.
pub(super) const STORE: &str = "encrypted file";
/// What opens it again.
const HINT: &str = "gocred unlock";

/// What is at hand.
pub(super) struct Keys {
    env: Env,
    typed: Option<SecretString>,
    /// The socket of the agent.
    agent: PathBuf,
    remember: Remember,
    lifetime: Duration,
}

/// How long the kernel keeps a key where the configuration says nothing, in seconds: 12 hours.
const LIFETIME: u64 = 12 * 60 * 60;

/// A passphrase, and where it was found.
pub(super) struct Passphrase {
    secret: SecretString,
    source: String,
}

impl Keys {
    pub(super) fn new(desk: &Desk<'_>) -> Self {
        let store = &desk.config.store;
        let lifetime = store.lifetime.unwrap_or(Duration::from_secs(LIFETIME));
        Self {
            env: desk.env.clone(),
            typed: None,
            agent: desk.paths.agent.clone(),
            remember: store.remember,
            lifetime,
        }
    }

    /// Takes what a person typed; it goes before what a file says.
    pub(super) fn typed(&mut self, passphrase: SecretString) {
        self.typed = Some(passphrase);
    }

    /// Returns the key of a file.
    pub(super) fn find(&self, header: &Header) -> Result<SealKey, Error> {
        // What an agent or the kernel holds of this file costs no passphrase.
        let held = agent::get(&self.agent, &header.id).or_else(|| kernel::get(&header.id));
        if let Some(key) = held {
            return Ok(key);
        }
        let wraps = || header.wraps.iter().filter(|wrap| wrap.label.kind == Kind::Passphrase);
        if wraps().next().is_none() {
            return Err(not_open());
        }
        let Some(Passphrase { secret, source }) = self.passphrase()? else {
            return Err(not_open());
        };
        let open = |wrap: &Wrap| {
            let key = Costs::parse(&wrap.label.params)?.key(secret.expose_secret().as_bytes())?;
            wrap.open(&key, &header.id)
        };
        wraps().find_map(open).ok_or_else(|| wrong(&source))
    }

    /// Returns the wraps of a new file.
    pub(super) fn wrap(&self, id: &Id, data_key: &SealKey) -> Result<Vec<Wrap>, Error> {
        let Some(Passphrase { secret, source: _ }) = self.passphrase()? else {
            return Err(not_open());
        };
        let costs = Costs::new(random::bytes().map_err(|error| no_random(&error))?);
        let no_memory = || Error::Refused("there is no memory for the passphrase's key".to_owned());
        let key = costs.key(secret.expose_secret().as_bytes()).ok_or_else(no_memory)?;
        let label =
            Label { kind: Kind::Passphrase, name: "passphrase".to_owned(), params: costs.params() };
        let nonce = random::bytes().map_err(|error| no_random(&error))?;
        let refused = |error: Malformed| Error::Refused(error.to_string());
        Ok(vec![Wrap::seal(label, &key, data_key, id, nonce).map_err(refused)?])
    }

    /// Keeps the key of a file for the processes that come: in the agent, or where there is none, in the
    /// kernel. Where neither takes it, they want a passphrase again.
    pub(super) fn remember(&self, id: &Id, key: &SealKey) {
        match self.remember {
            Remember::Agent if agent::put(&self.agent, id, key) => {}
            Remember::Agent | Remember::Kernel => kernel::put(id, key, self.lifetime),
            Remember::Never => {}
        }
    }

    /// Takes the key of a file back from the kernel. The agent has its own `lock`.
    pub(super) fn forget(id: &Id) {
        kernel::remove(id);
    }

    /// Returns whether a new file could be made of what is at hand.
    pub(super) fn can_wrap(&self) -> Result<bool, Error> {
        Ok(self.passphrase()?.is_some())
    }

    /// Returns the passphrase that was typed, or that a file says.
    fn passphrase(&self) -> Result<Option<Passphrase>, Error> {
        if let Some(secret) = &self.typed {
            let source = "that was typed".to_owned();
            return Ok(Some(Passphrase { secret: secret.clone(), source }));
        }
        let wrong =
            |file: &PathBuf, what: String| Error::File { file: file.clone(), line: 0, what };
        if let Some(file) = self.env.path("GOCRED_PASSPHRASE_FILE") {
            let read = secret_file::read(&file).map_err(|error| wrong(&file, error.to_string()))?;
            let secret = read.ok_or_else(|| {
                wrong(&file, "GOCRED_PASSPHRASE_FILE names it, and it is missing".to_owned())
            })?;
            return Ok(Some(Passphrase { secret, source: format!("in {}", file.display()) }));
        }
        // systemd.exec(5), "Credentials"
        let Some(folder) = self.env.path("CREDENTIALS_DIRECTORY") else { return Ok(None) };
        let file = folder.join("gocred.passphrase");
        let read = secret_file::read(&file).map_err(|error| wrong(&file, error.to_string()))?;
        Ok(read.map(|secret| Passphrase { secret, source: format!("in {}", file.display()) }))
    }
}

pub(super) fn not_open() -> Error {
    Error::NotOpen { store: STORE, hint: HINT }
}

fn wrong(source: &str) -> Error {
    Error::Refused(format!("the passphrase {source} does not open the encrypted file"))
}

pub(super) fn no_random(error: &std::io::Error) -> Error {
    Error::Refused(format!("the system gives no random numbers: {error}"))
}

/// What the agent keeps of us, by the name of the file's id (`agent::Agent`).
mod agent {
    use std::path::Path;

    use secrecy::zeroize::Zeroizing;

    use crate::{
        core::{
            agent::{Flags, Place, Question, Verb, Word},
            vault::{SealKey, format::Id},
        },
        sys::control,
    };

    fn name(id: &Id) -> String {
        format!("{:032x}", u128::from_be_bytes(*id))
    }

    fn question(verb: Verb, body: &[u8]) -> Question<'_> {
        // A key is of a file, and not of who works with what.
        Question { verb, place: Place::NOWHERE, flags: Flags::NONE, body }
    }

    pub(super) fn get(path: &Path, id: &Id) -> Option<SealKey> {
        let answer = control::agent(path, &question(Verb::Key, name(id).as_bytes())).ok()?;
        SealKey::copied(&answer.out).filter(|_| answer.word == Word::Ok)
    }

    /// Returns whether it took the key.
    pub(super) fn put(path: &Path, id: &Id, key: &SealKey) -> bool {
        let mut body = Zeroizing::new(Vec::with_capacity(4 + 32 + 1 + 32));
        for part in [b"key\n", name(id).as_bytes(), b"\n", key.bytes()] {
            body.extend_from_slice(part);
        }
        let answer = control::agent(path, &question(Verb::Unlock, &body));
        answer.is_ok_and(|answer| answer.word == Word::Ok)
    }
}

/// What the kernel keeps of us. A kernel that keeps nothing is no error: the passphrase is asked for.
#[cfg(target_os = "linux")]
mod kernel {
    use std::time::Duration;

    use crate::{
        core::vault::{SealKey, format::Id},
        sys::kernel_keys,
    };

    fn name(id: &Id) -> String {
        format!("gocred:vault:{:032x}", u128::from_be_bytes(*id))
    }

    pub(super) fn get(id: &Id) -> Option<SealKey> {
        SealKey::copied(&kernel_keys::get(&name(id)).ok()??)
    }

    pub(super) fn put(id: &Id, key: &SealKey, lifetime: Duration) {
        let _ = kernel_keys::put(&name(id), key.bytes(), lifetime);
    }

    pub(super) fn remove(id: &Id) {
        let _ = kernel_keys::remove(&name(id));
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::time::Duration;

    use crate::core::vault::{SealKey, format::Id};

    pub(super) fn get(_id: &Id) -> Option<SealKey> {
        None
    }

    pub(super) fn put(_id: &Id, _key: &SealKey, _lifetime: Duration) {}

    pub(super) fn remove(_id: &Id) {}
}
