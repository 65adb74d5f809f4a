//! Kerberos for the proxy: the system's library is asked on a blocking thread, one token at a time.
//!
//! Two tokens that are made at the same time may carry the same time stamp, and a server takes the
//! second for a replay (RFC 4120 §3.2.3). A token takes less than a millisecond; the queue is short.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, task::spawn_blocking, time::timeout};

#[cfg(feature = "kerberos-password")]
use crate::sys::kerberos_password;
use crate::{core::auth::choice::TicketState, proxy::login::vault::Account, sys::gss};

/// How long a token may take, the wait for those before it included. The library asks one KDC after
/// the other, and takes half a minute to find that none can be reached.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The queue of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mint(Arc<Mutex<()>>);

/// A login at one service that makes tokens.
pub(super) enum Context {
    /// From a ticket that the user has.
    System(gss::Context),
    /// From a password.
    #[cfg(feature = "kerberos-password")]
    Password(Box<kerberos_password::Context>),
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// The password is wrong, says the KDC.
    #[cfg_attr(not(feature = "kerberos-password"), expect(dead_code, reason = "nobody asks a KDC"))]
    Rejected,
    /// There was none in time. The library is still at it.
    Silent,
    /// The ticket gives none.
    Ticket(TicketState),
    /// This way does not lead there now; another may.
    Unusable,
}

impl Mint {
    /// Takes the next step of a context: from what the proxy said to what it is answered.
    pub(super) async fn step(
        &self,
        mut context: Context,
        input: Option<Vec<u8>>,
    ) -> Result<(Context, Vec<u8>), Trouble> {
        let step = async {
            let turn = Arc::clone(&self.0).lock_owned().await;
            let step = spawn_blocking(move || {
                let step = context.step(input.as_deref());
                drop(turn);
                step.map(|token| (context, token))
            });
            step.await.unwrap_or_else(|error| {
                Err(Trouble::Ticket(TicketState::Failed(error.to_string())))
            })
        };
        timeout(LIMIT, step).await.unwrap_or(Err(Trouble::Silent))
    }
}

impl Context {
    /// Starts a login: with the account where there is one, else with the user's ticket.
    pub(super) fn new(
        account: Option<&Account>,
        service: &str,
        binding: Option<&[u8]>,
    ) -> Result<Self, Trouble> {
        match account {
            None => gss::Context::new(service, binding)
                .map(Self::System)
                .map_err(|error| Trouble::Ticket(state_of(error))),
            #[cfg(feature = "kerberos-password")]
            Some(Account { user, password }) => {
                kerberos_password::Context::new(user, password, service, None)
                    .map(|context| Self::Password(Box::new(context)))
                    .map_err(|error| trouble(&error))
            }
            #[cfg(not(feature = "kerberos-password"))]
            Some(_) => Err(Trouble::Unusable),
        }
    }

    fn step(&mut self, input: Option<&[u8]>) -> Result<Vec<u8>, Trouble> {
        match self {
            Self::System(context) => context
                .step(input)
                .map(|step| step.token)
                .map_err(|error| Trouble::Ticket(state_of(error))),
            #[cfg(feature = "kerberos-password")]
            Self::Password(context) => {
                context.step(input).map(|step| step.token).map_err(|error| trouble(&error))
            }
        }
    }
}

#[cfg(feature = "kerberos-password")]
fn trouble(error: &kerberos_password::Error) -> Trouble {
    use kerberos_password::Error;
    match error {
        Error::Rejected => Trouble::Rejected,
        // No KDC here, or one that does not know the account: NTLM may do.
        Error::Unreachable(_) | Error::Failed(_) => Trouble::Unusable,
    }
}

/// A ticket, as far as it tells one from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TicketId {
    principal: String,
    expires: Option<u64>,
}

/// Asks for the ticket of this user; called on a blocking thread.
pub(super) fn ticket() -> (TicketState, Option<TicketId>) {
    match gss::ticket() {
        Ok(gss::Ticket { principal, expires }) => {
            (TicketState::Usable, Some(TicketId { principal, expires }))
        }
        Err(error) => (state_of(error), None),
    }
}

/// Returns what an error of the library means for the choice of a method.
fn state_of(error: gss::Error) -> TicketState {
    match error {
        gss::Error::Expired => TicketState::Expired,
        gss::Error::Failed(what) => TicketState::Failed(what),
        gss::Error::NoLibrary => TicketState::NoLibrary,
        gss::Error::NoTicket => TicketState::None,
    }
}

impl TicketId {
    /// Returns whether it has run out. `now` is in seconds since 1970.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}
