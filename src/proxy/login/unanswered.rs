//! What became of one secret at one upstream, as far as the upstream has not judged it: how often it
//! was taken, and the connection broken off instead of an answer, or nobody waited for the answer.
//!
//! Silence counts for a while only. An upstream that is silent waits for its target, as a rule, and a
//! few such targets must not bar a good password; a directory that is slow to say no is as silent.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{
    core::guard::{SILENCE, UNANSWERED},
    proxy::login::{Account, vault::Kept},
};

/// What became of the proofs of one secret.
#[derive(Debug)]
pub(super) struct Tally {
    account: Kept,
    count: Mutex<Count>,
}

#[derive(Debug, Default)]
struct Count {
    was_accepted: bool,
    broken_off: u8,
    silent: u8,
    silent_at: Option<Instant>,
}

impl Tally {
    pub(super) fn of(account: Kept) -> Self {
        Self { account, count: Mutex::default() }
    }

    /// Returns whether it is about this secret.
    pub(super) fn is_of(&self, account: &Account) -> bool {
        self.account.is(account)
    }

    /// The upstream accepted it: what it does not answer from now on is not about the secret.
    pub(super) fn accepted(&self) {
        self.count().was_accepted = true;
    }

    /// The upstream took a proof, and broke off.
    pub(super) fn broken_off(&self) {
        let mut count = self.count();
        count.broken_off = count.broken_off.saturating_add(1);
    }

    /// The upstream took a proof, and said nothing while somebody waited.
    pub(super) fn silent(&self, now: Instant) {
        let mut count = self.count();
        count.silent = count.silent.saturating_add(1);
        count.silent_at = Some(now);
    }

    /// The network has changed: whoever was silent there may answer here.
    pub(super) fn forgive_silence(&self) {
        let mut count = self.count();
        (count.silent, count.silent_at) = (0, None);
    }

    pub(super) fn was_accepted(&self) -> bool {
        self.count().was_accepted
    }

    /// Returns whether the secret must not be proven now.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        let Count { was_accepted, broken_off, silent, silent_at } = *self.count();
        let is_recent = |at: Instant| now.saturating_duration_since(at) < SILENCE;
        let counted = if silent_at.is_some_and(is_recent) {
            broken_off.saturating_add(silent)
        } else {
            broken_off
        };
        !was_accepted && counted >= UNANSWERED
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::Tally;
    use crate::{
        core::guard::{SILENCE, UNANSWERED},
        proxy::login::{Account, vault::Kept},
    };

    fn new() -> Tally {
        let account = Account { user: "ana".to_owned(), password: "s3cret".into() };
        Tally::of(Kept::of(&account).unwrap())
    }

    #[test]
    fn silence_bars_a_secret_for_a_while_and_what_was_broken_off_for_good() {
        let (start, much_later) = (Instant::now(), Instant::now() + 100 * SILENCE);
        let tally = new();
        for _ in 0..UNANSWERED {
            assert!(!tally.is_full(start));
            tally.silent(start);
        }
        assert!(tally.is_full(start) && tally.is_full(start + SILENCE / 2));
        // One more, not three.
        let after = start + SILENCE;
        assert!(!tally.is_full(after));
        tally.silent(after);
        assert!(tally.is_full(after) && !tally.is_full(after + SILENCE));
        let tally = new();
        for _ in 0..UNANSWERED {
            tally.broken_off();
        }
        assert!(tally.is_full(start) && tally.is_full(much_later));
    }

    #[test]
    fn both_count_together_until_the_secret_is_accepted() {
        let (start, tally) = (Instant::now(), new());
        tally.silent(start);
        tally.broken_off();
        assert!(!tally.is_full(start));
        tally.silent(start);
        assert!(tally.is_full(start));
        tally.forgive_silence();
        assert!(!tally.is_full(start));
        tally.broken_off();
        tally.silent(start);
        assert!(tally.is_full(start));
        tally.accepted();
        assert!(!tally.is_full(start));
    }
}
