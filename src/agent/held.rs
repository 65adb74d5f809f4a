//! What the agent holds by a name, and since when: it is forgotten when its time is over.

use std::time::Duration;

use crate::agent::lifetime::Lifetime;

/// What is held, the oldest first.
#[derive(Debug)]
pub(super) struct Held<K, V> {
    all: Vec<One<K, V>>,
    /// When the last answer was given.
    used: Duration,
}

#[derive(Debug)]
struct One<K, V> {
    key: K,
    value: V,
    since: Duration,
}

impl<K, V> Default for Held<K, V> {
    fn default() -> Self {
        Self { all: Vec::new(), used: Duration::ZERO }
    }
}

impl<K: PartialEq, V> Held<K, V> {
    /// Keeps a value, in place of the one that was there.
    pub(super) fn keep(&mut self, key: K, value: V, now: Duration) {
        self.remove(&key);
        self.all.push(One { key, value, since: now });
    }

    pub(super) fn find(&self, key: &K) -> Option<&V> {
        self.all.iter().find(|one| one.key == *key).map(|one| &one.value)
    }

    pub(super) fn find_mut(&mut self, key: &K) -> Option<&mut V> {
        self.all.iter_mut().find(|one| one.key == *key).map(|one| &mut one.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.all.iter().map(|one| (&one.key, &one.value))
    }

    /// Forgets a value, and returns whether it was there.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        self.retain(|one| one.key != *key)
    }

    /// Forgets the oldest, until there are no more than so many.
    pub(super) fn shorten(&mut self, most: usize) {
        self.all.drain(..self.all.len().saturating_sub(most));
    }

    /// Says that an answer was given.
    pub(super) fn used(&mut self, now: Duration) {
        self.used = now;
    }

    /// Forgets what has had its time, and returns whether there was any.
    pub(super) fn expire(&mut self, lifetime: Lifetime, now: Duration) -> bool {
        let used = self.used;
        self.retain(|one| !lifetime.is_over(one.since, used, now))
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn retain(&mut self, is_kept: impl Fn(&One<K, V>) -> bool) -> bool {
        let before = self.all.len();
        self.all.retain(is_kept);
        self.all.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Held, Lifetime};

    #[test]
    fn each_is_held_until_its_own_time_is_over() {
        let second = Duration::from_secs;
        let mut held = Held::default();
        held.keep("a", 1, second(0));
        held.keep("b", 2, second(0));
        held.keep("a", 3, second(5));
        assert_eq!((held.find(&"a"), held.len()), (Some(&3), 2));
        let lifetime = Lifetime { whole: second(9), idle: None };
        assert!(!held.expire(lifetime, second(8)));
        assert!(held.expire(lifetime, second(9)));
        assert_eq!((held.find(&"a"), held.find(&"b")), (Some(&3), None));
        let lifetime = Lifetime { whole: second(99), idle: Some(second(4)) };
        held.used(second(10));
        assert!(!held.expire(lifetime, second(13)));
        assert!(held.expire(lifetime, second(14)));
        assert_eq!((held.remove(&"a"), held.len()), (false, 0));
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut held = Held::default();
        for key in 0..4 {
            held.keep(key, (), Duration::ZERO);
        }
        held.shorten(9);
        held.shorten(3);
        assert_eq!(held.iter().map(|(key, ())| *key).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
