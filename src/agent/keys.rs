//! The keys of encrypted files, each in locked memory.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use crate::{
    agent::lifetime::Lifetime,
    sys::locked::{KEY, LockedKey},
};

/// More than one person has encrypted files.
const MOST: usize = 16;

/// The id of an encrypted file, as it is asked for.
pub(super) type Id = [u8; 32];

/// The keys that are held.
#[derive(Debug, Default)]
pub(super) struct Keys {
    held: Vec<Held>,
    /// When the last answer was given.
    used: Duration,
}

#[derive(Debug)]
struct Held {
    id: Id,
    key: LockedKey,
    since: Duration,
}

impl Keys {
    /// Keeps a key, in place of the one that was there. The oldest makes room.
    pub(super) fn keep(&mut self, id: Id, key: &mut Zeroizing<[u8; KEY]>, now: Duration) {
        self.held.retain(|held| held.id != id);
        if self.held.len() >= MOST {
            self.held.remove(0);
        }
        self.held.push(Held { id, key: LockedKey::of(key), since: now });
    }

    /// Returns the key of a file.
    pub(super) fn find(&self, id: &Id) -> Option<Zeroizing<Vec<u8>>> {
        let held = self.held.iter().find(|held| held.id == *id)?;
        Some(held.key.with(|key| Zeroizing::new(key.to_vec())))
    }

    /// Says that an answer was given.
    pub(super) fn used(&mut self, now: Duration) {
        self.used = now;
    }

    /// Forgets those whose time is over, and returns whether there were any.
    pub(super) fn expire(&mut self, lifetime: Lifetime, now: Duration) -> bool {
        let before = self.held.len();
        let used = self.used;
        self.held.retain(|held| !lifetime.is_over(held.since, used, now));
        self.held.len() < before
    }

    pub(super) fn clear(&mut self) {
        self.held.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::zeroize::Zeroizing;

    use super::{Keys, Lifetime, MOST};

    const ZERO: Duration = Duration::ZERO;

    #[test]
    fn a_key_is_found_by_its_file_until_its_time_is_over() {
        let mut keys = Keys::default();
        keys.keep([1; 32], &mut Zeroizing::new([7; 32]), ZERO);
        keys.keep([1; 32], &mut Zeroizing::new([8; 32]), ZERO);
        assert_eq!(keys.find(&[1; 32]).as_deref(), Some(&vec![8; 32]));
        assert_eq!((keys.find(&[2; 32]), keys.len()), (None, 1));
        let lifetime = Lifetime { whole: Duration::from_secs(9), idle: None };
        assert!(!keys.expire(lifetime, Duration::from_secs(8)));
        assert!(keys.expire(lifetime, Duration::from_secs(9)));
        assert_eq!(keys.len(), 0);
    }

    #[test]
    fn there_are_not_too_many() {
        let mut keys = Keys::default();
        for id in 0..40 {
            keys.keep([id; 32], &mut Zeroizing::new([id; 32]), ZERO);
        }
        assert_eq!((keys.len(), keys.find(&[23; 32])), (MOST, None));
        assert!(keys.find(&[24; 32]).is_some());
        keys.clear();
        assert_eq!(keys.len(), 0);
    }
}
