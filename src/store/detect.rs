//! Which stores this machine has, in the order in which a first login takes one, each with how it is
//! with it. Nothing is written, made or unlocked for that, and nobody is asked.

use crate::{
    core::{choice::Choice, credential::Kind, credential::Query},
    store::{
        Desk, Error,
        file::{FileStore, Standing},
        keyring_by,
    },
    sys::tpm,
};

/// A store, and what would open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub choice: Choice,
    /// What would open it.
    pub way: Way,
    /// How it is with it.
    pub state: State,
}

/// What opens a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The running agent: it is its memory.
    Agent,
    /// The encrypted file that is there, by what opens it already.
    File,
    /// The kernel.
    Kernel,
    /// The keyring itself.
    Keyring,
    /// A new encrypted file, by a passphrase.
    Passphrase,
    /// Nothing has to.
    Plaintext,
    /// A new encrypted file, by the SSH key that is called so.
    Ssh(String),
    /// A new encrypted file, by the TPM.
    Tpm,
}

/// How it is with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes secrets now.
    Usable,
    /// It does once a person has done this.
    Person(&'static str),
    /// It does for who names it; a login never takes it on its own, because of this.
    ByName(&'static str),
    /// It does not.
    Not(Error),
}

/// Looks at all of them.
pub fn detect(desk: &Desk<'_>) -> Vec<Candidate> {
    std::iter::once(first(desk)).chain(others(desk)).collect()
}

/// Looks at the first one, the keyring.
pub fn first(desk: &Desk<'_>) -> Candidate {
    Candidate { choice: Choice::Keyring, way: Way::Keyring, state: keyring(desk) }
}

/// Looks at those that are taken where the first is not.
pub fn others(desk: &Desk<'_>) -> Vec<Candidate> {
    let of = |choice, way, state| Candidate { choice, way, state };
    let mut found = Vec::new();
    found.extend(file(desk).into_iter().map(|(way, state)| of(Choice::File, way, state)));
    found.push(of(Choice::Agent, Way::Agent, agent()));
    found.push(of(Choice::Kernel, Way::Kernel, kernel()));
    let in_clear = "every program of yours reads it; wants --yes-plaintext, too";
    found.push(of(Choice::Plaintext, Way::Plaintext, State::ByName(in_clear)));
    found
}

/// Lists keys of our own: where there is one, and it is open, nothing is released.
fn keyring(desk: &Desk<'_>) -> State {
    let mut store = keyring_by(desk.env, desk.config.secret_service.session);
    match store.list(&Query::all(Kind::Internal)) {
        Ok(_) => State::Usable,
        Err(error @ (Error::Locked | Error::NoCollection)) => closed(desk, error),
        Err(error) => State::Not(error),
    }
}

#[cfg(target_os = "linux")]
fn closed(desk: &Desk<'_>, error: Error) -> State {
    use crate::store::gnome::{self, Gnome};
    match Gnome::new(desk.env, desk.config.secret_service.session).state() {
        Ok(gnome::State::Locked) => State::Person("locked; its password unlocks it here"),
        Ok(gnome::State::Absent) => State::Person("there is none yet; a new password makes one"),
        Ok(gnome::State::Elsewhere | gnome::State::Open) | Err(_) => State::Not(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn closed(_desk: &Desk<'_>, error: Error) -> State {
    State::Not(error)
}

/// The encrypted file that is there, or what could open a new one.
fn file(desk: &Desk<'_>) -> Vec<(Way, State)> {
    let mut store = FileStore::new(desk);
    match store.standing() {
        Ok(Standing::Open) => vec![(Way::File, State::Usable)],
        Ok(Standing::Closed) => {
            vec![(Way::File, State::Person("not unlocked; asks for its passphrase"))]
        }
        Ok(standing) => {
            let (name, ssh) = match store.ssh_keys() {
                Ok(names) => {
                    let name = names.into_iter().next().unwrap_or_default();
                    (name, State::Person("this SSH key of yours would open it"))
                }
                Err(error) => (String::new(), State::Not(error)),
            };
            let passphrase = match standing {
                Standing::Creatable => State::Usable,
                Standing::Missing | Standing::Closed | Standing::Open => {
                    State::Person("asks for a new passphrase")
                }
            };
            let tpm = match tpm::check() {
                Ok(()) => State::Person("the TPM of this machine would open it"),
                Err(error) => State::Not(Error::Refused(format!("there is no TPM: {error}"))),
            };
            vec![(Way::Ssh(name), ssh), (Way::Passphrase, passphrase), (Way::Tpm, tpm)]
        }
        Err(error) => vec![(Way::File, State::Not(error))],
    }
}

fn agent() -> State {
    use crate::sys::peer;
    if cfg!(unix) && peer::is_one_user(peer::own_uid()) {
        return State::ByName("secrets are gone when the agent ends or is locked");
    }
    let what = "this system does not tell its users apart, and the agent answers nobody";
    State::Not(Error::Refused(what.to_owned()))
}

#[cfg(target_os = "linux")]
fn kernel() -> State {
    match crate::sys::kernel_keys::get("gocred:none") {
        Ok(_) => State::ByName("secrets are gone after `[store] lifetime`, or a restart"),
        Err(error) => State::Not(Error::Refused(error.to_string())),
    }
}

#[cfg(not(target_os = "linux"))]
fn kernel() -> State {
    State::Not(Error::Refused("the kernel of this system keeps no keys".to_owned()))
}
