//! Who keeps the key of an opened file for the processes that come: the agent, else the kernel. Neither
//! is needed: without them, what opens the file is asked for again.

/// The agent, which knows a file by its id (`agent::Agent`).
pub(super) mod agent {
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

    pub(in crate::store::keys) fn get(path: &Path, id: &Id) -> Option<SealKey> {
        let answer = control::agent(path, &question(Verb::Key, name(id).as_bytes())).ok()?;
        SealKey::copied(&answer.out).filter(|_| answer.word == Word::Ok)
    }

    /// Returns whether it took the key.
    pub(in crate::store::keys) fn put(path: &Path, id: &Id, key: &SealKey) -> bool {
        let mut body = Zeroizing::new(Vec::with_capacity(4 + 32 + 1 + 32));
        for part in [b"key\n", name(id).as_bytes(), b"\n", key.bytes()] {
            body.extend_from_slice(part);
        }
        let answer = control::agent(path, &question(Verb::Unlock, &body));
        answer.is_ok_and(|answer| answer.word == Word::Ok)
    }
}

/// The kernel.
#[cfg(target_os = "linux")]
pub(super) mod kernel {
    use std::time::Duration;

    use crate::{
        core::vault::{SealKey, format::Id},
        sys::kernel_keys,
    };

    fn name(id: &Id) -> String {
        format!("gocred:vault:{:032x}", u128::from_be_bytes(*id))
    }

    pub(in crate::store::keys) fn get(id: &Id) -> Option<SealKey> {
        SealKey::copied(&kernel_keys::get(&name(id)).ok()??)
    }

    pub(in crate::store::keys) fn put(id: &Id, key: &SealKey, lifetime: Duration) {
        let _ = kernel_keys::put(&name(id), key.bytes(), lifetime);
    }

    pub(in crate::store::keys) fn remove(id: &Id) {
        let _ = kernel_keys::remove(&name(id));
    }
}

/// There is none on this system.
#[cfg(not(target_os = "linux"))]
pub(super) mod kernel {
    use std::time::Duration;

    use crate::core::vault::{SealKey, format::Id};

    pub(in crate::store::keys) fn get(_id: &Id) -> Option<SealKey> {
        None
    }

    pub(in crate::store::keys) fn put(_id: &Id, _key: &SealKey, _lifetime: Duration) {}

    pub(in crate::store::keys) fn remove(_id: &Id) {}
}
