//! Who opens the encrypted file: what is at hand is tried in order, and nobody is asked. A passphrase
//! that a person typed is given to `Keys` by who asked for it.

mod command;
mod held;
mod keyring;
mod ssh;
mod ssh_file;
mod tpm;

use std::{path::PathBuf, time::Duration};

use crate::{
    core::{
        config::{Remember, Session},
        secret::{ExposeSecret, SecretString},
        vault::{
            Malformed, SealKey,
            format::{Header, Id},
            wrap::{Costs, Kind, Label, Wrap},
        },
    },
    store::{
        Desk, Error,
        keys::{
            held::{agent, kernel},
            ssh::Signers,
        },
    },
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
    /// The state folder.
    state: PathBuf,
    ssh: Signers,
    session: Session,
    remember: Remember,
    lifetime: Duration,
}

/// What shall open a file from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// What an absolute program prints; with its arguments.
    Command(Vec<String>),
    /// One that the keyring of the system keeps.
    Keyring,
    /// The passphrase that is at hand.
    Passphrase,
    /// A key of the SSH agent, by its comment or type; empty is the first that will do.
    Ssh(String),
    /// One that the TPM of this machine seals.
    Tpm,
}

impl NewKey {
    /// Returns what people call it.
    pub fn name(&self) -> String {
        let name = match self {
            Self::Command(words) => words.first().and_then(|word| word.rsplit('/').next()),
            Self::Keyring | Self::Passphrase | Self::Tpm => None,
            Self::Ssh(name) => Some(name.as_str()),
        };
        let kind = match self {
            Self::Command(_) => "command",
            Self::Keyring => "keyring",
            Self::Passphrase => "passphrase",
            Self::Ssh(_) => "ssh",
            Self::Tpm => "tpm",
        };
        let name = name.filter(|name| !name.is_empty()).unwrap_or(kind);
        name.chars().filter(|c| !c.is_control()).take(60).collect()
    }
}

/// A passphrase, and where it was found.
pub(super) struct Passphrase {
    secret: SecretString,
    source: String,
}

impl Keys {
    pub(super) fn new(desk: &Desk<'_>) -> Self {
        let store = &desk.config.store;
        Self {
            env: desk.env.clone(),
            typed: None,
            agent: desk.paths.agent.clone(),
            state: desk.paths.state.clone(),
            ssh: Signers { agent: desk.env.path("SSH_AUTH_SOCK"), home: desk.paths.home.clone() },
            session: desk.config.secret_service.session,
            remember: store.remember,
            lifetime: store.lifetime(),
        }
    }

    /// Takes what a person typed; it goes before what a file says.
    pub(super) fn typed(&mut self, passphrase: SecretString) {
        self.typed = Some(passphrase);
    }

    /// Returns the key of a file. The error is the first one of those who should have opened it.
    pub(super) fn find(&self, header: &Header) -> Result<SealKey, Error> {
        // What an agent or the kernel holds of this file costs nothing.
        let held = agent::get(&self.agent, &header.id).or_else(|| kernel::get(&header.id));
        if let Some(key) = held {
            return Ok(key);
        }
        let mut trouble = None;
        for kind in [Kind::Passphrase, Kind::Keyring, Kind::Command, Kind::Tpm, Kind::Ssh] {
            for wrap in header.wraps.iter().filter(|wrap| wrap.label.kind == kind) {
                match self.open(wrap, &header.id) {
                    Ok(Some(key)) => return Ok(key),
                    Ok(None) => {}
                    Err(error) => trouble = trouble.or(Some(error)),
                }
            }
        }
        Err(trouble.unwrap_or_else(not_open))
    }

    /// Opens a wrap with what is at hand. `Ok(None)`: there is nothing for it.
    fn open(&self, wrap: &Wrap, id: &Id) -> Result<Option<SealKey>, Error> {
        let label = &wrap.label;
        let (key, what) = match label.kind {
            Kind::Passphrase => match self.passphrase()? {
                Some(Passphrase { secret, source }) => {
                    let costs = Costs::parse(&label.params);
                    let key = costs.and_then(|costs| costs.key(secret.expose_secret().as_bytes()));
                    (key, format!("the passphrase {source}"))
                }
                None => return Ok(None),
            },
            Kind::Command => (
                Some(command::key(&label.params, id)?),
                format!("what the command {} prints", label.name),
            ),
            Kind::Ssh => match self.ssh.key(&label.params)? {
                Some(key) => (Some(key), format!("the SSH key {}", label.name)),
                None => return Ok(None),
            },
            Kind::Keyring => {
                let gone = "the keyring holds no key of the encrypted file any more";
                let key = self.item(id)?.read()?;
                let key = key.ok_or_else(|| Error::Refused(gone.to_owned()))?;
                (Some(key), "the key in the keyring".to_owned())
            }
            Kind::Tpm => (Some(tpm::key(&label.params, &self.state)?), "the TPM".to_owned()),
            Kind::Other(_) => return Ok(None),
        };
        match key.and_then(|key| wrap.open(&key, id)) {
            Some(key) => Ok(Some(key)),
            None => Err(Error::Refused(format!("{what} does not open the encrypted file"))),
        }
    }

    /// Returns a wrap for the data key of a file.
    pub(super) fn wrap(&self, new: &NewKey, id: &Id, data_key: &SealKey) -> Result<Wrap, Error> {
        let (kind, params, key) = match new {
            NewKey::Passphrase => {
                let Some(Passphrase { secret, source: _ }) = self.passphrase()? else {
                    return Err(not_open());
                };
                let costs = Costs::new(random::bytes().map_err(|error| no_random(&error))?);
                let none = || Error::Refused("there is no memory for the passphrase's key".into());
                let key = costs.key(secret.expose_secret().as_bytes()).ok_or_else(none)?;
                (Kind::Passphrase, costs.params(), key)
            }
            NewKey::Command(words) => {
                let params = command::params(words)?;
                let key = command::key(&params, id)?;
                (Kind::Command, params, key)
            }
            NewKey::Keyring => (Kind::Keyring, Vec::new(), self.item(id)?.make()?),
            NewKey::Tpm => {
                let (params, key) = tpm::new(&self.state)?;
                (Kind::Tpm, params, key)
            }
            NewKey::Ssh(public) => {
                let salt = random::bytes().map_err(|error| no_random(&error))?;
                let (params, key) = self.ssh.new_key(public, salt)?;
                (Kind::Ssh, params, key)
            }
        };
        let label = Label { kind, name: new.name(), params };
        let nonce = random::bytes().map_err(|error| no_random(&error))?;
        let refused = |error: Malformed| Error::Refused(error.to_string());
        Wrap::seal(label, &key, data_key, id, nonce).map_err(refused)
    }

    fn item(&self, id: &Id) -> Result<keyring::Item, Error> {
        keyring::Item::new(&self.env, self.session, id)
    }

    /// Takes out of the keyring what opened a file from there. It is of no use to anybody by then.
    pub(super) fn discard(&self, id: &Id) {
        let _ = self.item(id).and_then(|mut item| item.remove());
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

    /// Returns what SSH keys of the user could open a file, by comment.
    pub(super) fn ssh(&self) -> Result<Vec<String>, Error> {
        self.ssh.names()
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

pub(super) fn no_random(error: &std::io::Error) -> Error {
    Error::Refused(format!("the system gives no random numbers: {error}"))
}
