//! The right to log in at an upstream, for one request.

use std::{pin::Pin, sync::Arc, time::Instant};

use tokio::{
    sync::{Mutex as Turnstile, OwnedMutexGuard},
    task::spawn_blocking,
    time::{Duration, timeout},
};

use crate::{
    core::{
        auth::choice::Method,
        guard::{Standing, UNJUDGED},
        origin::Origin,
        refusal::Refusal,
    },
    proxy::{
        failure,
        login::{
            Account, State, Vault, conversation::Conversation, kerberos::TicketId,
            unanswered::Tally, vault::Kept,
        },
    },
};

/// How long the one who tries a secret that was accepted before keeps the others waiting. A proxy
/// judges it on seeing the head; an answer that takes longer waits for the target, as a rule, or for a
/// slow client.
const VERDICT: Duration = Duration::from_secs(5);

/// The right to log in.
pub(crate) struct Pass {
    pub(super) method: Method,
    pub(super) conversation: Conversation,
    proven: Proven,
    sent: Sent,
    was_accepted: bool,
    begun: Instant,
    /// Held by the one who tries it alone.
    alone: Option<OwnedMutexGuard<State>>,
    state: Arc<Turnstile<State>>,
}

/// What is proven with it.
pub(super) struct Proven {
    pub(super) account: Option<Account>,
    /// Of the account.
    pub(super) tally: Option<Arc<Tally>>,
    pub(super) ticket: Option<TicketId>,
    /// What the guard remembers it under.
    pub(super) realm: String,
}

/// Whether a proof is under way. One that is dropped so was sent, and nobody heard the answer: the
/// client has left, or the request goes another way.
#[derive(Debug)]
struct Sent {
    tally: Option<Arc<Tally>>,
    is_open: bool,
}

impl Sent {
    /// Ends the wait for its answer.
    fn close(&mut self) {
        self.is_open = false;
    }

    /// Ends the wait without one.
    fn give_up(&mut self) {
        if let Some(tally) = self.tally.as_ref().filter(|_| self.is_open) {
            tally.silent(Instant::now());
        }
        self.close();
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    No,
    Yes,
}

impl Pass {
    pub(super) fn new(
        method: Method,
        conversation: Conversation,
        proven: Proven,
        state: OwnedMutexGuard<State>,
        alone: Alone,
    ) -> Self {
        let all = Arc::clone(OwnedMutexGuard::mutex(&state));
        let was_accepted = matches!(state.standing, Standing::Accepted(_));
        let alone = match alone {
            Alone::No => None,
            Alone::Yes => Some(state),
        };
        let begun = Instant::now();
        let sent = Sent { tally: proven.tally.clone(), is_open: false };
        Self { method, conversation, proven, sent, was_accepted, begun, alone, state: all }
    }

    /// Returns the account, for a proxy that takes it as it is.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.proven.account.as_ref()
    }

    /// Returns the ticket of the user that it proves.
    pub(super) fn ticket(&self) -> Option<&TicketId> {
        self.proven.ticket.as_ref()
    }

    /// Returns whether everybody else waits for the outcome.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Returns whether it proves again, and has proven, what the upstream has accepted before.
    pub(crate) fn repeats_success(&self) -> bool {
        self.was_accepted && self.has_proven()
    }

    /// Returns whether the proxy has been sent a stored secret that it has never accepted.
    pub(super) fn is_new_secret_that_was_sent(&self) -> bool {
        self.is_new_secret() && self.has_proven()
    }

    fn is_new_secret(&self) -> bool {
        self.proven.tally.as_ref().is_some_and(|tally| !tally.was_accepted())
    }

    /// The next message is on its way.
    pub(super) fn speaks(&mut self) {
        self.sent.is_open = self.has_proven();
    }

    /// Returns whether it logs a connection in, and no request.
    pub(crate) fn binds_connection(&self) -> bool {
        self.method.binds_connection()
    }

    /// Returns whether a login that belongs to the connection is complete.
    pub(crate) fn is_bound_and_proven(&self) -> bool {
        self.binds_connection() && self.has_proven()
    }

    /// Returns whether what proves the secret has been sent.
    pub(crate) fn has_proven(&self) -> bool {
        self.conversation.has_proven()
    }

    /// Returns how long ago the right was given.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The upstream broke off instead of an answer. It may have looked at what was proven.
    pub(crate) fn was_broken_off(&self) {
        if let Some(tally) = self.proven.tally.as_ref().filter(|_| self.has_proven()) {
            tally.broken_off();
        }
    }

    /// Begins again where the connection was lost. What lives on one connection cannot, and what was
    /// lost too often must not.
    pub(crate) fn on_another_connection(mut self, upstream: &Origin) -> Result<Self, Refusal> {
        self.was_broken_off();
        if self.conversation.is_bound() {
            return Err(failure::closed_within_login(upstream, self.method));
        }
        if let (Some(account), Some(tally)) = (&self.proven.account, &self.proven.tally)
            && tally.is_full(Instant::now())
        {
            return Err(failure::never_answered(upstream, &account.user));
        }
        self.conversation.restart();
        Ok(self)
    }

    /// The upstream accepted it: those who wait may use theirs. One who did not try it alone waits
    /// for nobody to say so. `info` is the value of `Proxy-Authentication-Info`.
    pub(crate) fn accepted(self, info: Option<&[u8]>) {
        let Self { conversation, proven, alone, state, .. } = self;
        conversation.end(info);
        if let Some(tally) = &proven.tally {
            tally.accepted();
        }
        let Some(mut state) = alone.or_else(|| state.try_lock_owned().ok()) else { return };
        if state.holds(&proven) {
            state.standing.accepted(Instant::now());
        }
    }

    /// Ends it before its next message; what it was given for that is for the next in turn.
    pub(crate) fn put_by(self) {
        self.conversation.put_by();
    }

    /// Nothing was judged. The next in turn looks again for what can be proven, and how.
    pub(super) fn give_up(&mut self) {
        let state = match self.alone.take() {
            Some(state) => Some(state),
            None => Arc::clone(&self.state).try_lock_owned().ok(),
        };
        if let Some(mut state) = state {
            state.standing = Standing::Untried;
        }
    }

    /// The upstream rejected it: it is remembered before anybody else gets a turn, and the store is
    /// asked again for a better one.
    pub(super) async fn rejected(mut self, upstream: &Origin, vault: &Arc<dyn Vault>) {
        self.was_rejected(upstream, vault).await;
    }

    /// The same, where the pass cannot be given away. It is of no use afterwards.
    pub(super) async fn was_rejected(&mut self, upstream: &Origin, vault: &Arc<dyn Vault>) {
        let Self { proven, alone, state, .. } = self;
        // Started before anything is waited for: whoever gives up waiting does not stop it.
        let remembered = proven.account.clone().map(|account| {
            let (vault, upstream) = (Arc::clone(vault), upstream.clone());
            let realm = proven.realm.clone();
            spawn_blocking(move || vault.reject(&upstream, &realm, &account))
        });
        let mut state = match alone.take() {
            Some(state) => state,
            None => Arc::clone(state).lock_owned().await,
        };
        if state.holds(proven) {
            state.standing = Standing::Untried;
            if proven.ticket.is_some() {
                state.rejected_ticket = proven.ticket.take();
            }
        }
        if let Some(remembered) = remembered {
            let _ = remembered.await;
        }
    }
}

impl State {
    /// Returns what became of the proofs of a secret; of another one than before, nothing.
    pub(super) fn tally_of(&mut self, account: &Kept) -> Arc<Tally> {
        let opened = account.open();
        let known = self.tally.take().filter(|tally| tally.is_of(&opened));
        let tally = known.unwrap_or_else(|| Arc::new(Tally::of(account.clone())));
        self.tally = Some(Arc::clone(&tally));
        tally
    }

    /// Returns whether this is what the state holds, and not what it held before.
    fn holds(&self, proven: &Proven) -> bool {
        let Some(held) = &self.held else { return false };
        match (&held.account, &proven.account) {
            (Some(held), Some(proven)) => held.is(proven),
            (None, None) => held.ticket == proven.ticket,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// Waits for an answer to a request that carries a login. When it takes longer than a verdict, the
/// next in turn tries the secret alone: nobody waits for a slow target or a slow upload. That is soon
/// where the secret was accepted before; a new one may be wrong, and a directory slow to say so.
///
/// The answer is pinned by the caller: it is large, and one place for it is enough.
pub(crate) async fn verdict<T>(
    pass: &mut Option<Pass>,
    mut answer: Pin<&mut impl Future<Output = T>>,
) -> T {
    let limit = pass
        .as_ref()
        .filter(|pass| pass.is_alone())
        .map(|pass| if pass.is_new_secret() { UNJUDGED } else { VERDICT });
    let mut answered = None;
    if let Some(limit) = limit {
        answered = timeout(limit, &mut answer).await.ok();
        if let Some(pass) = pass.as_mut().filter(|_| answered.is_none()) {
            // Counted before the next in turn looks.
            pass.sent.give_up();
            pass.alone = None;
        }
    }
    let answered = match answered {
        Some(answered) => answered,
        None => answer.await,
    };
    if let Some(pass) = pass {
        pass.sent.close();
    }
    answered
}
