//! The login at one upstream: what it asks for, and who sends the secret when.
//!
//! Whoever holds the lock of the state tries the secret; everybody else waits for the outcome.
//! Basic is the only scheme; what the upstream offers decides, never what we would like.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;
use tokio::{
    sync::{Mutex as Turnstile, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    core::{
        challenge::Challenge,
        guard::{Standing, Turn},
        origin::Origin,
        refusal::Refusal,
        secret::{ExposeSecret, SecretString},
    },
    proxy::{failure, hop::Failed, status::UpstreamReport},
};

/// How long the one who tries a secret keeps the others waiting. A proxy judges it on seeing the
/// head; an answer that takes longer waits for the target, or for a slow client.
const VERDICT: Duration = Duration::from_secs(5);
/// How long a request waits for its turn, the store included.
const TURN: Duration = Duration::from_secs(15);

/// Where passwords are, and what is remembered of rejected ones. Called on blocking threads.
pub trait Vault: Send + Sync {
    /// Returns the account for an upstream, exactly as it is configured.
    fn account(&self, upstream: &Origin) -> Result<Option<Account>, Trouble>;

    /// Returns whether this secret was rejected there before.
    fn is_rejected(&self, upstream: &Origin, realm: &str, account: &Account) -> bool;

    /// Remembers that it was rejected, across restarts.
    fn reject(&self, upstream: &Origin, realm: &str, account: &Account);
}

/// A user and a password.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Why a vault does not answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Trouble {
    /// It is locked.
    #[error("the keyring is locked")]
    Locked,
    /// There is none.
    #[error("{0}")]
    Missing(String),
    /// It fails or is silent.
    #[error("{0}")]
    Failed(String),
}

/// The login at one upstream.
pub(crate) struct Login {
    upstream: Origin,
    offer: Mutex<Offer>,
    state: Arc<Turnstile<State>>,
}

/// What the upstream has asked for since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Offer {
    /// Nothing was sent there yet.
    Unknown,
    /// It let a request without credentials pass.
    Open,
    /// Basic, among others perhaps.
    Basic { realm: String },
    /// Only what we do not speak, at least once: Basic is never sent there again, because an
    /// attacker in between could ask for it (downgrade).
    Unsupported(Refusal),
}

struct State {
    standing: Standing,
    secret: Option<(Account, SecretString)>,
    why: Option<Refusal>,
}

/// The right to send a secret.
pub(crate) struct Ticket {
    /// The value of `Proxy-Authorization`.
    pub(crate) value: SecretString,
    account: Account,
    realm: String,
    /// Held by the one who tries it alone.
    alone: Option<OwnedMutexGuard<State>>,
    state: Arc<Turnstile<State>>,
}

impl Login {
    pub(crate) fn new(upstream: Origin) -> Self {
        let state = State { standing: Standing::Unread, secret: None, why: None };
        Self { upstream, offer: Mutex::new(Offer::Unknown), state: Arc::new(Turnstile::new(state)) }
    }

    /// Returns why nothing may be sent now, if that is known without asking anybody: then the
    /// upstream need not be connected to.
    pub(crate) fn barred(&self) -> Option<Refusal> {
        if let Offer::Unsupported(refusal) = &*self.offer() {
            return Some(refusal.clone());
        }
        let state = self.state.try_lock().ok()?;
        match state.standing.turn(Instant::now()) {
            Turn::Refuse => state.why.clone(),
            Turn::Lead | Turn::Share => None,
        }
    }

    /// Returns whether an upload should wait for the answer to its head: until a secret has been
    /// accepted, the answer may be a 407, and a body cannot be sent twice.
    pub(crate) fn may_be_challenged(&self, ticket: Option<&Ticket>) -> bool {
        match ticket {
            Some(ticket) => ticket.alone.is_some(),
            None => *self.offer() == Offer::Unknown,
        }
    }

    /// Waits for the right to send the secret; `None`: the upstream has not asked for one.
    /// An upstream that keeps everybody waiting is out of order.
    pub(crate) async fn ticket(&self, vault: &Arc<dyn Vault>) -> Result<Option<Ticket>, Failed> {
        match timeout(TURN, self.turn(vault)).await {
            Ok(turn) => turn.map_err(Failed::Request),
            Err(_) => Err(Failed::Hop(failure::no_turn(&self.upstream))),
        }
    }

    async fn turn(&self, vault: &Arc<dyn Vault>) -> Result<Option<Ticket>, Refusal> {
        let realm = match &*self.offer() {
            Offer::Unknown | Offer::Open => return Ok(None),
            Offer::Basic { realm } => realm.clone(),
            Offer::Unsupported(refusal) => return Err(refusal.clone()),
        };
        let mut state = Arc::clone(&self.state).lock_owned().await;
        match state.standing.turn(Instant::now()) {
            Turn::Refuse => Err(state.why.clone().unwrap_or_else(|| failure::bug("no reason"))),
            Turn::Share => Ok(self.issue(state, realm, Alone::No)),
            Turn::Lead => {
                self.read(&mut state, &realm, vault).await?;
                Ok(self.issue(state, realm, Alone::Yes))
            }
        }
    }

    /// Learns from a 407: it asks for a secret, or rejects the one that was sent.
    pub(crate) async fn challenged(
        &self,
        ticket: Option<Ticket>,
        challenges: &[Challenge],
        vault: &Arc<dyn Vault>,
    ) -> Result<(), Refusal> {
        // A proxy that has stopped offering Basic has not judged the secret.
        self.note_offer(challenges)?;
        if let Some(ticket) = ticket {
            ticket.rejected(&self.upstream, vault).await;
        }
        Ok(())
    }

    fn note_offer(&self, challenges: &[Challenge]) -> Result<(), Refusal> {
        let mut offer = self.offer();
        if let Offer::Unsupported(refusal) = &*offer {
            return Err(refusal.clone());
        }
        if let Some(basic) = challenges.iter().find(|challenge| challenge.is("basic")) {
            // The first realm stays: the guard remembers by realm, and a proxy that names another one
            // each time would be sent a rejected password each time.
            if !matches!(*offer, Offer::Basic { .. }) {
                let realm = basic.param("realm").unwrap_or_default().to_owned();
                *offer = Offer::Basic { realm };
            }
            return Ok(());
        }
        let refusal = failure::unsupported(&self.upstream, challenges);
        *offer = Offer::Unsupported(refusal.clone());
        Err(refusal)
    }

    /// Learns that a request without credentials passed.
    pub(crate) fn passed(&self) {
        let mut offer = self.offer();
        if *offer == Offer::Unknown {
            *offer = Offer::Open;
        }
    }

    pub(crate) fn report(&self) -> UpstreamReport {
        let offer = self.offer().clone();
        let (login, reason) = match (offer, self.state.try_lock()) {
            (Offer::Unsupported(refusal), _) => ("unsupported", Some(refusal.reason())),
            (Offer::Open, _) => ("open", None),
            (Offer::Unknown | Offer::Basic { .. }, Err(_)) => ("untried", None),
            (Offer::Unknown | Offer::Basic { .. }, Ok(state)) => match state.standing {
                Standing::Accepted(_) => ("accepted", None),
                Standing::Barred(_) => ("barred", state.why.as_ref().map(Refusal::reason)),
                Standing::Unread | Standing::Untried => ("untried", None),
            },
        };
        UpstreamReport { url: self.upstream.to_string(), login: login.to_owned(), reason }
    }

    /// Reads the store. A secret that the upstream has accepted outlives a store that was locked
    /// since; a secret that is gone or rejected does not.
    async fn read(
        &self,
        state: &mut State,
        realm: &str,
        vault: &Arc<dyn Vault>,
    ) -> Result<(), Refusal> {
        let (vault, upstream, realm) = (Arc::clone(vault), self.upstream.clone(), realm.to_owned());
        let read = spawn_blocking(move || {
            let account = vault.account(&upstream)?;
            let rejected = account
                .as_ref()
                .is_some_and(|account| vault.is_rejected(&upstream, &realm, account));
            Ok((account, rejected))
        });
        let answer = read.await.unwrap_or_else(|error| Err(Trouble::Failed(error.to_string())));
        let refusal = match answer {
            Ok((Some(account), false)) if account.user.contains(':') => {
                failure::user_with_colon(&self.upstream)
            }
            Ok((Some(account), false)) => {
                let value = basic(&account.user, &account.password);
                state.secret = Some((account, value));
                state.why = None;
                return Ok(());
            }
            Ok((Some(account), true)) => failure::rejected(&self.upstream, &account.user),
            Ok((None, _)) => failure::no_credential(&self.upstream),
            Err(trouble) => match state.standing {
                Standing::Accepted(_) => return Ok(()),
                Standing::Barred(_) | Standing::Unread | Standing::Untried => {
                    failure::store(&self.upstream, &trouble)
                }
            },
        };
        state.standing = Standing::Barred(Instant::now());
        state.secret = None;
        state.why = Some(refusal.clone());
        Err(refusal)
    }

    fn issue(&self, state: OwnedMutexGuard<State>, realm: String, alone: Alone) -> Option<Ticket> {
        let (account, value) = state.secret.clone()?;
        let alone = match alone {
            Alone::No => None,
            Alone::Yes => Some(state),
        };
        Some(Ticket { value, account, realm, alone, state: Arc::clone(&self.state) })
    }

    fn offer(&self) -> MutexGuard<'_, Offer> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    No,
    Yes,
}

/// Waits for an answer to a request that carries the ticket. When it takes longer than a verdict,
/// the next in turn tries the secret alone: nobody waits for a slow target or a slow upload.
pub(crate) async fn verdict<T>(ticket: &mut Option<Ticket>, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    if let Ok(answer) = timeout(VERDICT, &mut answer).await {
        return answer;
    }
    if let Some(ticket) = ticket {
        ticket.alone = None;
    }
    answer.await
}

impl Ticket {
    /// The upstream accepted the secret: those who wait may send it. One who did not try it alone
    /// waits for nobody to say so.
    pub(crate) fn accepted(self) {
        let Self { value, alone, state, account: _, realm: _ } = self;
        let Some(mut state) = alone.or_else(|| state.try_lock_owned().ok()) else { return };
        if state.holds(&value) {
            state.standing.accepted(Instant::now());
        }
    }

    /// The upstream rejected it: it is remembered before anybody else gets a turn, and the store is
    /// asked again for a better one.
    async fn rejected(self, upstream: &Origin, vault: &Arc<dyn Vault>) {
        let Self { value, alone, state, account, realm } = self;
        let (vault, upstream) = (Arc::clone(vault), upstream.clone());
        // Started before anything is waited for: whoever gives up waiting does not stop it.
        let remembered = spawn_blocking(move || vault.reject(&upstream, &realm, &account));
        let mut state = match alone {
            Some(state) => state,
            None => state.lock_owned().await,
        };
        if state.holds(&value) {
            state.standing = Standing::Untried;
        }
        let _ = remembered.await;
    }
}

impl State {
    fn holds(&self, value: &SecretString) -> bool {
        self.secret.as_ref().is_some_and(|(_, held)| crate::core::secret::same(held, value))
    }
}

/// Returns the value of `Proxy-Authorization` for the Basic scheme, in UTF-8 (RFC 7617 §2).
pub(crate) fn basic(user: &str, password: &SecretString) -> SecretString {
    let password = password.expose_secret();
    // Reserved at once: text that grows leaves its old bytes behind.
    let mut pair = Zeroizing::new(String::with_capacity(user.len() + 1 + password.len()));
    pair.push_str(user);
    pair.push(':');
    pair.push_str(password);
    let mut value = String::with_capacity(6 + pair.len().div_ceil(3) * 4);
    value.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut value);
    value.into()
}
