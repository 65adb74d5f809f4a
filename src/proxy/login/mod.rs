//! The login at one upstream: what it asks for, and who proves what when.
//!
//! Whoever holds the lock of the state tries the secret; everybody else waits for the outcome. Which
//! scheme is spoken is `core::auth::choice`'s to say, and how is the [`conversation`]'s.

mod conversation;
mod inquiry;
mod kerberos;
mod nonces;
mod offer;
mod pass;
mod unanswered;
mod vault;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
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
        connect::Connection,
        guard::{Standing, Turn},
        origin::Origin,
        page,
        refusal::Refusal,
        secret::SecretString,
    },
    proxy::{
        failure,
        hop::Failed,
        login::{
            conversation::{Heard, Kerberos, Silent},
            inquiry::{Found, Inquiry},
            kerberos::{TicketId, Trouble as KerberosTrouble},
            nonces::Nonces,
            offer::{Asked, Broken, Offer},
            unanswered::Tally,
        },
    },
    sys::clock,
};

/// How long a request waits for its turn, the store included.
const TURN: Duration = Duration::from_secs(15);
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
    account: Option<Account>,
    ticket: Option<TicketId>,
}

/// Whether a secret that was accepted a moment ago may be proven by several at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// One at a time, always: where that costs nobody a wait for a target.
    Never,
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

    /// Waits for the right to log in; `None`: the upstream has not asked for that.
    /// An upstream that keeps everybody waiting is out of order.
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
            Err(_) => Err(Failed::Hop(failure::no_turn(&self.upstream))),
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
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let ticket = state.held.as_ref().and_then(|held| held.ticket.as_ref());
        if ticket.is_some_and(|ticket| ticket.is_over(clock::now())) {
            state.standing = Standing::Unread;
        }
        match state.standing.turn(Instant::now()) {
            Turn::Refuse => {
                let bug = || Failed::Request(failure::bug("no reason"));
                Err(state.why.clone().unwrap_or_else(bug))
            }
            Turn::Share if company == Company::Welcome => Ok(self.issue(state, pass::Alone::No)),
            Turn::Lead | Turn::Share => Ok(self.issue(state, pass::Alone::Yes)),
            Turn::ReadAndLead => {
                self.read(&mut state, challenges).await?;
                Ok(self.issue(state, pass::Alone::Yes))
            }
        }
    }

    /// Returns what is said next. `Ok(None)`: this login has come to nothing, is to be dropped, and a
    /// new turn may find another way.
    pub(crate) async fn say(
        &self,
        pass: &mut Pass,
        line: &Line,
    ) -> Result<Option<Option<SecretString>>, Failed> {
        match pass.conversation.say(line).await {
            Ok(value) => Ok(Some(value)),
            // Another method may do, and the next turn says why not.
            Err(Silent::Kerberos(KerberosTrouble::Ticket(state))) => {
                let (ticket, since) = (pass.ticket().cloned(), Instant::now());
                self.offer().broken = Some(Broken { state, ticket, since });
                pass.give_up();
                Ok(None)
            }
            Err(Silent::Kerberos(KerberosTrouble::Unusable)) => {
                self.offer().unusable.push((pass.method, Instant::now()));
                pass.give_up();
                Ok(None)
            }
            Err(Silent::Kerberos(KerberosTrouble::Rejected)) => {
                pass.was_rejected(&self.upstream, &self.vault).await;
                Ok(None)
            }
            Err(Silent::Proxy(what)) => {
                Err(Failed::Request(failure::bad_challenge(&self.upstream, pass.method, &what)))
            }
            Err(Silent::System(what)) => Err(Failed::Request(failure::bug(&what))),
        }
    }

    /// Learns from a 407: it asks for a login, goes on with one, or ends it. Returns the one that goes
    /// on; without one, a new turn follows.
    pub(crate) async fn challenged(
        &self,
        pass: Option<Pass>,
        challenges: Vec<Challenge>,
        connection: Connection,
    ) -> Result<Option<Pass>, Refusal> {
        let Some(mut pass) = pass else {
            self.note_offer(challenges);
            return Ok(None);
        };
        let is_new = pass.is_new_secret_that_was_sent();
        let heard = match pass.conversation.hear(&challenges) {
            // Whatever it asks for instead: it had the password, and may have counted a failed login.
            Heard::NotJudged | Heard::Unusable if is_new => Heard::Rejected,
            heard => heard,
        };
        match (heard, connection) {
            (Heard::Next, Connection::Closed) if pass.conversation.is_bound() => {
                return Err(failure::closed_within_login(&self.upstream, pass.method));
            }
            (Heard::Next, _) => return Ok(Some(pass)),
            (Heard::NotJudged, _) => {
                self.note_offer(challenges);
                pass.give_up();
            }
            (Heard::Unusable, _) => {
                self.offer().unusable.push((pass.method, Instant::now()));
                pass.give_up();
            }
            (Heard::Rejected, _) => {
                // What it offers now may be less than before, and is noted before the next turn.
                if !challenges.is_empty() {
                    self.note_offer(challenges);
                }
                self.rejections.fetch_add(1, Ordering::Relaxed);
                pass.rejected(&self.upstream, &self.vault).await;
            }
        }
        Ok(None)
    }

    /// Reads the page of a 407 that answers a login.
    pub(crate) fn note_page(&self, page: &[u8]) {
        if !page.is_empty() {
            self.offer().why = page::why(page);
        }
    }

    fn note_offer(&self, challenges: Vec<Challenge>) {
        let better = self.offer().note(challenges);
        // Over TLS nobody on the way can remove an offer.
        if let Some(floor) = better.filter(|_| self.upstream.scheme() == "http") {
            let (vault, upstream) = (Arc::clone(&self.vault), self.upstream.clone());
            spawn_blocking(move || vault.raise_floor(&upstream, floor));
        }
    }

    /// Learns that a request without credentials passed.
    pub(crate) fn passed(&self) {
        let mut offer = self.offer();
        if matches!(offer.asked, Asked::Unknown) {
            offer.asked = Asked::Nothing;
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
        let read = spawn_blocking(move || asked.answer(&*vault));
        let answer = read.await.unwrap_or_else(|error| {
            Err(failure::bug(&format!("the question to the store failed: {error}")))
        });
        match answer {
            Ok(Found::Way(held)) => {
                let tally = held.account.as_ref().map(|account| state.tally_of(account));
                if let (Some(account), Some(tally)) = (&held.account, &tally)
                    && tally.is_full()
                {
                    // Another upstream may do: this one is out of order, and has refused nobody.
                    let refusal = failure::never_answered(&self.upstream, &account.user);
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
