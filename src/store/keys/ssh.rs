//! A key that an SSH key of the user's agent gives: its signature over a salt, which nobody else can
//! make, and which is the same each time.

use std::path::PathBuf;

use crate::{
    core::{
        secret::ExposeSecret,
        sshsig::{self, REPEATABLE},
        vault::SealKey,
    },
    store::{Error, keys::command::derived},
};

const NAMESPACE: &str = "gocred";
const SALT: usize = 32;

/// Returns the key of a wrap. `Ok(None)`: there is no agent, or it does not have this key.
pub(super) fn key(agent: Option<PathBuf>, params: &[u8]) -> Result<Option<SealKey>, Error> {
    let Some((salt, public)) = params.split_at_checked(SALT) else {
        return Err(Error::Refused("the SSH key of the encrypted file is not in its form".into()));
    };
    Ok(agent.and_then(|agent| signed(&agent, public, salt)))
}

#[cfg(unix)]
fn signed(agent: &std::path::Path, public: &[u8], salt: &[u8]) -> Option<SealKey> {
    let data = sshsig::signed(NAMESPACE, salt);
    let signature = crate::sys::ssh_agent::sign(agent, public, &data).ok()??;
    let bare = sshsig::bare(&signature)?;
    Some(derived(bare.expose_secret(), b"gocred ssh 1"))
}

/// Returns the comments of the keys that will do, or their types where they have none.
#[cfg(unix)]
pub(super) fn names(agent: Option<PathBuf>) -> Result<Vec<String>, Error> {
    let (_, found) = identities(agent)?;
    let name = |identity: &crate::sys::ssh_agent::Identity| {
        let kind = sshsig::key_type(&identity.key).filter(|kind| REPEATABLE.contains(kind))?;
        let comment = identity.comment.as_str();
        Some(if comment.is_empty() { kind } else { comment }.to_owned())
    };
    let names: Vec<String> = found.iter().filter_map(name).collect();
    if names.is_empty() {
        let kinds = REPEATABLE.join(", ");
        return Err(Error::Refused(format!("the SSH agent has no key of these kinds: {kinds}")));
    }
    Ok(names)
}

#[cfg(unix)]
fn identities(
    agent: Option<PathBuf>,
) -> Result<(PathBuf, Vec<crate::sys::ssh_agent::Identity>), Error> {
    let none = "there is no SSH agent: start one, and add a key with ssh-add";
    let agent = agent.ok_or_else(|| Error::Refused(none.to_owned()))?;
    let found = crate::sys::ssh_agent::identities(&agent);
    let found =
        found.map_err(|error| Error::Refused(format!("the SSH agent does not answer: {error}")))?;
    Ok((agent, found))
}

/// Chooses a key of the agent, and returns the parameters of a wrap and its key. It signs twice: only a
/// key that says the same both times will open the file again.
#[cfg(unix)]
pub(super) fn new(
    agent: Option<PathBuf>,
    wanted: &str,
    salt: [u8; SALT],
) -> Result<(Vec<u8>, SealKey), Error> {
    use crate::sys::ssh_agent;
    let refused = |what: String| Error::Refused(what);
    let (agent, found) = identities(agent)?;
    let is_wanted = |identity: &&ssh_agent::Identity| {
        let kind = sshsig::key_type(&identity.key).unwrap_or_default();
        REPEATABLE.contains(&kind) && [identity.comment.as_str(), kind, ""].contains(&wanted)
    };
    let identity = found.iter().find(is_wanted).ok_or_else(|| {
        refused(format!(
            "the SSH agent has no such key: of its {}, none is of the kinds that sign the same each \
             time ({}), or has that name",
            found.len(),
            REPEATABLE.join(", ")
        ))
    })?;
    let sign = || signed(&agent, &identity.key, &salt);
    match (sign(), sign()) {
        (Some(key), Some(again)) if key.bytes() == again.bytes() => {
            Ok(([&salt[..], &identity.key].concat(), key))
        }
        (Some(_), Some(_)) => {
            Err(refused("this SSH key signs differently each time, and cannot open a file".into()))
        }
        _ => Err(refused("the SSH agent did not sign".to_owned())),
    }
}

/// There is no agent of this kind on this system.
#[cfg(not(unix))]
fn signed(_agent: &std::path::Path, _public: &[u8], _salt: &[u8]) -> Option<SealKey> {
    None
}

/// There is no agent of this kind on this system.
#[cfg(not(unix))]
pub(super) fn names(_agent: Option<PathBuf>) -> Result<Vec<String>, Error> {
    Err(Error::Refused("an SSH agent is not asked on this system".to_owned()))
}

/// There is no agent of this kind on this system.
#[cfg(not(unix))]
pub(super) fn new(
    _agent: Option<PathBuf>,
    _wanted: &str,
    _salt: [u8; SALT],
) -> Result<(Vec<u8>, SealKey), Error> {
    Err(Error::Refused("an SSH agent is not asked on this system".to_owned()))
}
