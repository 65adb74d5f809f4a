//! The login at one upstream: what it asks for, and who proves what when.
//!
//! Whoever holds the lock of the state tries the secret; everybody else waits for the outcome. Which
//! scheme is spoken is `core::auth::choice`'s to say, and how is the [`conversation`]'s; [`exchange`]
//! learns from what the upstream answers.

mod conversation;
mod exchange;
mod inquiry;
mod kerberos;
mod nonces;
mod offer;
mod pass;
mod unanswered;
mod vault;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex as Turnstile, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};

pub use self::vault::{Account, Trouble, Vault};
pub(crate) use self::{
    conversation::Line,
    kerberos::Mint,
    pass::{Pass, verdict},
};
use crate::{
    core::{
        auth::{Scheme, choice::Method},
        challenge::Challenge,
        config::UpstreamSettings,
        guard::{Standing, Turn},
        origin::Origin,
        secret::without_traces,
    },
    proxy::{
        failure,
        hop::Failed,
        login::{
            conversation::Kerberos,
            inquiry::{Found, Inquiry},
            kerberos::TicketId,
            nonces::Nonces,
            offer::{Asked, Broken, Offer},
            unanswered::Tally,
            vault::Kept,
        },
    },
    sys::clock,
};

/// How long a request waits for its turn, the store included. It is longer than `core::guard::UNJUDGED`.
const TURN: Duration = Duration::from_secs(15);
/// How long a request that prefers to log in alone waits for others that do. A login at a proxy that is
/// far away takes half a second, and a burst of a hundred would take a minute.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who named an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A PAC file: it is given no ticket, and no secret but one that was stored for it.
    ByPac,
    /// The configuration, or the command line.
    ByUser,
}

/// The login at one upstream.
pub(crate) struct Login {
    upstream: Origin,
    settings: UpstreamSettings,
    named: Named,
    mint: Mint,
    /// What a ticket is for (RFC 4559 §4.1).
    service: Arc<str>,
    vault: Arc<dyn Vault>,
    offer: Mutex<Offer>,
    state: Arc<Turnstile<State>>,
    nonces: Arc<Nonces>,
    /// How often it said no to what was proven.
    pub(crate) rejections: AtomicU64,
}

pub(super) struct State {
    standing: Standing,
    held: Option<Held>,
    why: Option<Failed>,
    /// Of the secret that the store gave last.
    tally: Option<Arc<Tally>>,
    rejected_ticket: Option<TicketId>,
}

/// What is proven, and how.
#[derive(Clone, Debug)]
struct Held {
    method: Method,
    account: Option<Kept>,
    ticket: Option<TicketId>,
}

/// Whether a secret that was accepted a moment ago may be proven by several at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// One at a time, where that costs nobody a wait for a target; company only after [`PATIENCE`].
    Late,
    Welcome,
}

impl Login {
    pub(crate) fn new(
        upstream: Origin,
        settings: UpstreamSettings,
        named: Named,
        mint: Mint,
        vault: Arc<dyn Vault>,
    ) -> Self {
        let standing = Standing::Unread;
        let state = State { standing, held: None, why: None, tally: None, rejected_ticket: None };
        let service = settings.spn.clone().unwrap_or_else(|| format!("HTTP@{}", upstream.host()));
        Self {
            upstream,
            settings,
            named,
            mint,
            service: service.into(),
            vault,
            offer: Mutex::default(),
            state: Arc::new(Turnstile::new(state)),
            nonces: Arc::default(),
            rejections: AtomicU64::default(),
        }
    }

    /// Returns why nothing may be sent now, if that is known without asking anybody: then the
    /// upstream need not be connected to.
    pub(crate) fn barred(&self) -> Option<Failed> {
        let state = self.state.try_lock().ok()?;
        match state.standing.turn(Instant::now()) {
            Turn::Refuse => state.why.clone(),
            Turn::Lead | Turn::ReadAndLead | Turn::Share => None,
        }
    }

    /// Returns the method of the last turn. It is read without waiting for whoever has the turn.
    pub(crate) fn method(&self) -> Option<Method> {
        self.offer().method
    }

    /// Returns what the upstream has asked for.
    pub(crate) fn challenges(&self) -> Vec<Challenge> {
        match &self.offer().asked {
            Asked::For(challenges) => challenges.clone(),
            Asked::Nothing | Asked::Unknown => Vec::new(),
        }
    }

    /// Returns whether an upload should wait for the answer to its head: until a secret has been
    /// accepted, the answer may be a 407, and a body cannot be sent twice.
    pub(crate) fn may_be_challenged(&self, pass: Option<&Pass>) -> bool {
        match pass {
            Some(pass) => pass.is_alone() || !pass.conversation.has_proven(),
            None => matches!(self.offer().asked, Asked::Unknown),
        }
    }

    /// Waits for the right to log in; `None`: the upstream has not asked for that. Who gets none in
    /// time is refused: the upstream is not out of order, and no other way is taken around it.
    pub(crate) async fn pass(&self, company: Company) -> Result<Option<Pass>, Failed> {
        if matches!(self.offer().asked, Asked::Unknown | Asked::Nothing) {
            return Ok(None);
        }
        if company == Company::Welcome
            && let Some(pass) = self.shared_pass()
        {
            return Ok(Some(pass));
        }
        match timeout(TURN, self.turn(company)).await {
            Ok(turn) => turn,
            Err(_) => Err(Failed::Request(failure::no_turn(&self.upstream))),
        }
    }

    /// Returns a pass that needs no turn: what was accepted a moment ago is proven by several.
    fn shared_pass(&self) -> Option<Pass> {
        let state = Arc::clone(&self.state).try_lock_owned().ok()?;
        let is_over =
            |held: &Held| held.ticket.as_ref().is_some_and(|ticket| ticket.is_over(clock::now()));
        let may_share = state.standing.turn(Instant::now()) == Turn::Share
            && !state.held.as_ref().is_some_and(is_over);
        may_share.then(|| self.issue(state, pass::Alone::No)).flatten()
    }

    async fn turn(&self, company: Company) -> Result<Option<Pass>, Failed> {
        let challenges = match &self.offer().asked {
            Asked::Unknown | Asked::Nothing => return Ok(None),
            Asked::For(challenges) => challenges.clone(),
        };
        let begun = Instant::now();
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let has_company = company == Company::Welcome || begun.elapsed() >= PATIENCE;
        let ticket = state.held.as_ref().and_then(|held| held.ticket.as_ref());
        if ticket.is_some_and(|ticket| ticket.is_over(clock::now())) {
            state.standing = Standing::Unread;
        }
        match state.standing.turn(Instant::now()) {
            Turn::Refuse => {
                let bug = || Failed::Request(failure::bug("no reason"));
                Err(state.why.clone().unwrap_or_else(bug))
            }
            Turn::Share if has_company => Ok(self.issue(state, pass::Alone::No)),
            Turn::Lead | Turn::Share => Ok(self.issue(state, pass::Alone::Yes)),
            Turn::ReadAndLead => {
                self.read(&mut state, challenges).await?;
                Ok(self.issue(state, pass::Alone::Yes))
            }
        }
    }

    /// The user has signed in anew, perhaps: the store is asked before anything is sent.
    pub(crate) fn doubt(&self) {
        self.forget();
        // Whoever has the turn is finding out already.
        if let Ok(mut state) = self.state.try_lock() {
            state.standing.doubt(Instant::now());
            // A secret that was accepted is still the one that was, if it is the same.
            state.tally = state.tally.take().filter(|tally| tally.was_accepted());
            state.rejected_ticket = None;
        }
    }

    /// The network has changed: what did not work may work now.
    pub(crate) fn forget(&self) {
        self.nonces.forget();
        if let Some(tally) = self.state.try_lock().ok().and_then(|state| state.tally.clone()) {
            tally.forgive_silence();
        }
        let mut offer = self.offer();
        offer.unusable.clear();
        offer.broken = None;
    }

    /// Returns the state, for people: its name, the scheme, and why nothing is sent.
    pub(crate) fn report(&self) -> (&'static str, Option<Scheme>, Option<String>) {
        if matches!(self.offer().asked, Asked::Nothing) {
            return ("open", None, None);
        }
        let Ok(state) = self.state.try_lock() else { return ("untried", None, None) };
        let scheme = state.held.as_ref().map(|held| held.method.scheme());
        match state.standing {
            Standing::Accepted(_) => ("accepted", scheme, None),
            Standing::Barred(_) => ("barred", None, state.why.as_ref().map(Failed::reason)),
            Standing::Unread | Standing::Untried => ("untried", scheme, None),
        }
    }

    /// Looks for what can be proven, and how. A secret that the upstream has accepted outlives a
    /// store that was locked since; a secret that is gone or rejected does not.
    async fn read(&self, state: &mut State, challenges: Vec<Challenge>) -> Result<(), Failed> {
        let (floor, why, broken, unusable) = {
            // Locked once: a lock that a struct expression takes is held until its end.
            let mut offer = self.offer();
            (offer.floor, offer.why, offer.broken(), offer.unusable())
        };
        let asked = Inquiry {
            upstream: self.upstream.clone(),
            username: self.settings.username.clone(),
            realm: self.realm(),
            configured: self.settings.schemes.clone(),
            may_use_ticket: self.named == Named::ByUser,
            rejected_ticket: state.rejected_ticket.clone(),
            broken,
            unusable,
            floor,
            why,
            challenges,
        };
        let vault = Arc::clone(&self.vault);
        let read = spawn_blocking(move || without_traces(|| asked.answer(&*vault)));
        let answer = read.await.unwrap_or_else(|error| {
            Err(failure::bug(&format!("the question to the store failed: {error}")))
        });
        match answer {
            Ok(Found::Way(held)) => {
                let tally = held.account.as_ref().map(|account| state.tally_of(account));
                if let (Some(account), Some(tally)) = (&held.account, &tally)
                    && tally.is_full(Instant::now())
                {
                    // Another upstream may do: this one is out of order, and has refused nobody.
                    let refusal = failure::never_answered(&self.upstream, account.user());
                    return Err(self.bar(state, Failed::Hop(refusal)));
                }
                let mut offer = self.offer();
                offer.method = Some(held.method);
                offer.why = None;
                drop(offer);
                state.held = Some(held);
                state.why = None;
                Ok(())
            }
            // It keeps what it has.
            Ok(Found::Trouble(_)) if matches!(state.standing, Standing::Accepted(_)) => Ok(()),
            Ok(Found::Trouble(refusal)) | Err(refusal) => {
                Err(self.bar(state, Failed::Request(refusal)))
            }
        }
    }

    /// Sends nothing for now, and says why.
    fn bar(&self, state: &mut State, why: Failed) -> Failed {
        self.offer().ask_again_if_mute();
        state.standing = Standing::Barred(Instant::now());
        state.held = None;
        state.why = Some(why.clone());
        why
    }

    fn issue(&self, state: OwnedMutexGuard<State>, alone: pass::Alone) -> Option<Pass> {
        let Held { method, account, ticket } = state.held.clone()?;
        let account = account.as_ref().map(Kept::open);
        let tally = account.as_ref().and_then(|_| state.tally.clone());
        let kerberos = Kerberos { mint: self.mint.clone(), service: Arc::clone(&self.service) };
        let conversation = conversation::start(method, account.clone(), &self.nonces, kerberos);
        let proven = pass::Proven { account, tally, ticket, realm: self.realm() };
        Some(Pass::new(method, conversation, proven, state, alone))
    }

    fn realm(&self) -> String {
        self.offer().realm.clone().unwrap_or_default()
    }

    fn offer(&self) -> MutexGuard<'_, Offer> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
