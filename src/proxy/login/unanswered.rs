//! What became of one secret at one upstream, as far as the upstream has not judged it: how often it
//! was taken, and the connection broken off instead of an answer.
//!
//! Silence does not count. An upstream that is silent waits for its target, as a rule, and a few such
//! targets must not bar a good password; nor does a kept connection that has gone stale.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::{
    core::{guard::UNANSWERED, secret::same},
    proxy::login::Account,
};

/// What became of the proofs of one secret.
#[derive(Debug)]
pub(super) struct Tally {
    account: Account,
    was_accepted: AtomicBool,
    unanswered: AtomicU8,
}

impl Tally {
    pub(super) fn of(account: Account) -> Self {
        Self { account, was_accepted: AtomicBool::default(), unanswered: AtomicU8::default() }
    }

    /// Returns whether it is about this secret.
    pub(super) fn is_of(&self, account: &Account) -> bool {
        self.account.user == account.user && same(&self.account.password, &account.password)
    }

    /// The upstream accepted it: what it breaks off from now on is not about the secret.
    pub(super) fn accepted(&self) {
        self.was_accepted.store(true, Ordering::Release);
    }

    /// The upstream took a proof, and broke off.
    pub(super) fn broken_off(&self) {
        let add = |count: u8| Some(count.saturating_add(1));
        let _ = self.unanswered.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }

    pub(super) fn was_accepted(&self) -> bool {
        self.was_accepted.load(Ordering::Acquire)
    }

    /// Returns whether the secret must not be proven again.
    pub(super) fn is_full(&self) -> bool {
        !self.was_accepted() && self.unanswered.load(Ordering::Acquire) >= UNANSWERED
    }
}
