//! The keys of encrypted files, each in locked memory.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use crate::{
    agent::held::Held,
    sys::locked::{KEY, LockedKey},
};

/// More than one person has encrypted files.
const MOST: usize = 16;

/// The id of an encrypted file, as it is asked for.
pub(super) type Id = [u8; 32];

/// The keys that are held.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) held: Held<Id, LockedKey>,
}

impl Keys {
    /// Keeps a key, in place of the one that was there. The oldest makes room.
    pub(super) fn keep(&mut self, id: Id, key: &mut Zeroizing<[u8; KEY]>, now: Duration) {
        self.held.remove(&id);
        // Before the new one is locked: there is a limit on locked memory.
        self.held.shorten(MOST - 1);
        self.held.keep(id, LockedKey::of(key), now);
    }

    /// Returns the key of a file.
    pub(super) fn find(&self, id: &Id) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.held.find(id)?;
        Some(key.with(|key| Zeroizing::new(key.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::zeroize::Zeroizing;

    use super::{Keys, MOST};

    const ZERO: Duration = Duration::ZERO;

    #[test]
    fn a_key_is_found_by_its_file() {
        let mut keys = Keys::default();
        keys.keep([1; 32], &mut Zeroizing::new([7; 32]), ZERO);
        keys.keep([1; 32], &mut Zeroizing::new([8; 32]), ZERO);
        assert_eq!(keys.find(&[1; 32]).as_deref(), Some(&vec![8; 32]));
        assert_eq!((keys.find(&[2; 32]), keys.held.len()), (None, 1));
    }

    #[test]
    fn there_are_not_too_many() {
        let mut keys = Keys::default();
        for id in 0..40 {
            keys.keep([id; 32], &mut Zeroizing::new([id; 32]), ZERO);
        }
        assert_eq!((keys.held.len(), keys.find(&[23; 32])), (MOST, None));
        assert!(keys.find(&[24; 32]).is_some());
        keys.held.clear();
        assert_eq!(keys.held.len(), 0);
    }
}
