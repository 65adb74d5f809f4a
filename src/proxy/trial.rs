//! What an upstream asks for, and whether it accepts an account: one tunnel, for `login --proxy`.
//!
//! The engine itself goes there, with a vault that holds the one account: what is found is what the
//! proxy will do later. The account is proven once at most. Nothing is remembered, nothing is sent
//! through the tunnel, and no spare connection is made.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    runtime::Builder,
    time::{Duration, Instant},
};

use crate::{
    core::{
        auth::{
            choice::{self, Means, Method, Policy, Stored, TicketState},
            floor::Floor,
        },
        config::UpstreamSettings,
        origin::Origin,
        refusal::Refusal,
        target::Authority,
    },
    proxy::{
        Account, Proxy, Settings, Trouble, Vault,
        hop::{self, Failed, Wish},
        login::Named,
        through,
    },
};

/// How long it may take. A person waits.
const LIMIT: Duration = Duration::from_secs(20);

/// Where the account would go.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The upstream.
    pub upstream: &'a Origin,
    /// Its settings.
    pub settings: UpstreamSettings,
    /// What the tunnel is asked for.
    pub target: &'a Authority,
    /// The best that it is known to have offered: it is given no password for less.
    pub floor: Option<Floor>,
}

/// What the upstream may be given.
#[derive(Clone, Debug)]
pub enum Given {
    /// This account, and no ticket.
    Account(Account),
    /// The ticket that the user has, if there is one.
    Ticket,
}

/// What the upstream did.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it offers; `None`: nothing that is spoken here.
    pub offer: Option<Floor>,
    /// How it ended.
    pub verdict: Verdict,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It accepted what it was given, by this method.
    Accepted(Method),
    /// There is no login that it could be given, or is worth a password: why.
    Barred(Refusal),
    /// It serves everybody.
    Open,
    /// It no longer asked for a login when it was given one by this method, and refused the target.
    Passed(Method, Refusal),
    /// It refused the target, or broke its protocol; of what it was given it said nothing.
    Refused(Refusal),
    /// It rejected the account, by this method.
    Rejected(Method),
    /// It was not reached, or did not answer.
    Unreachable(Refusal),
    /// It wants an account, which would be proven by this method; and why nothing else does.
    Wanted(Method, Refusal),
}

/// Asks. `settings` makes the settings of an engine out of its vault; its plan does not matter.
pub fn run<E>(
    question: &Question<'_>,
    given: Given,
    settings: impl FnOnce(Arc<dyn Vault>) -> Result<Settings, E>,
) -> Result<io::Result<Finding>, E> {
    let (one, named) = vault(given, question.floor);
    let settings = settings(Arc::<One>::clone(&one) as Arc<dyn Vault>)?;
    Ok(ask(question, settings, &one, named))
}

fn vault(given: Given, floor: Option<Floor>) -> (Arc<One>, Named) {
    // Somebody whom a PAC file named is given no ticket.
    let (account, named) = match given {
        Given::Account(account) => (Some(account), Named::ByPac),
        Given::Ticket => (None, Named::ByUser),
    };
    (Arc::new(One { account, floor, is_rejected: AtomicBool::new(false) }), named)
}

fn ask(
    question: &Question<'_>,
    settings: Settings,
    one: &One,
    named: Named,
) -> io::Result<Finding> {
    let Proxy(shared) = &Proxy::new(settings, Vec::new(), 0)?;
    // Who stops makes no spare connections.
    shared.stopping.send_replace(true);
    let Question { upstream, settings, target, floor } = question;
    let upstream = shared.upstreams.make((*upstream).clone(), settings.clone(), named);
    let upstream = Arc::new(upstream);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let opened = runtime.block_on(async {
        let deadline = Instant::now() + LIMIT;
        let (target, via) = ((*target).clone(), shared.via.clone());
        let wish = Wish { target, via, named: hop::Named::ByOthers };
        through::tunnel(shared, &upstream, &wish, deadline).await
    });
    runtime.shutdown_background();
    let login = &upstream.login;
    let challenges = login.challenges();
    let verdict = match (opened, login.method(), login.report().0) {
        // A connection that has logged in may still be refused its target.
        (_, Some(method), "accepted") => Verdict::Accepted(method),
        (Ok(_), ..) => Verdict::Open,
        (Err(Failed::Hop(refusal)), ..) => Verdict::Unreachable(refusal),
        (Err(Failed::Request(_)), Some(method), _) if one.is_rejected() => {
            Verdict::Rejected(method)
        }
        (Err(Failed::Request(refusal)), _, "barred") => {
            let policy = Policy { configured: settings.schemes.clone(), floor: *floor };
            let ticket = &TicketState::None;
            let missing = if cfg!(feature = "kerberos-password") {
                None
            } else {
                Some(Method::PasswordTicket)
            };
            let means = Means { account: Stored::Yes, ticket, unusable: missing.as_slice() };
            match (&one.account, choice::choose(&challenges, &policy, &means)) {
                (None, Ok(method)) => Verdict::Wanted(method, refusal),
                (Some(_), _) | (None, Err(_)) => Verdict::Barred(refusal),
            }
        }
        // P41: it broke off within the login.
        (Err(Failed::Request(refusal)), Some(method), _) if refusal.code != Some("P41") => {
            Verdict::Passed(method, refusal)
        }
        (Err(Failed::Request(refusal)), ..) => Verdict::Refused(refusal),
    };
    Ok(Finding { offer: Floor::of(&challenges), verdict })
}

/// A vault with one account, which forgets everything with the trial.
struct One {
    account: Option<Account>,
    floor: Option<Floor>,
    is_rejected: AtomicBool,
}

impl One {
    fn is_rejected(&self) -> bool {
        self.is_rejected.load(Ordering::Acquire)
    }
}

impl Vault for One {
    fn account(&self, _: &Origin, _: Option<&str>) -> Result<Option<Account>, Trouble> {
        Ok(self.account.clone())
    }

    fn is_rejected(&self, _: &Origin, _: &str, _: &Account) -> bool {
        self.is_rejected()
    }

    fn reject(&self, _: &Origin, _: &str, _: &Account) {
        self.is_rejected.store(true, Ordering::Release);
    }

    fn floor(&self, _: &Origin) -> Option<Floor> {
        self.floor
    }

    fn raise_floor(&self, _: &Origin, _: Floor) {}
}
