//! Kerberos for the proxy: the system's library is asked on a blocking thread, one token at a time.
//!
//! Two tokens that are made at the same time may carry the same time stamp, and a server takes the
//! second for a replay (RFC 4120 §3.2.3). A token takes less than a millisecond; the queue is short.

use std::sync::Arc;

use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{core::auth::choice::TicketState, sys::gss};

/// The queue of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mint(Arc<Mutex<()>>);

impl Mint {
    /// Takes the next step of a context: from what the proxy said to what it is answered.
    pub(super) async fn step(
        &self,
        mut context: gss::Context,
        input: Option<Vec<u8>>,
    ) -> Result<(gss::Context, Vec<u8>), gss::Error> {
        let turn = Arc::clone(&self.0).lock_owned().await;
        let step = spawn_blocking(move || {
            let step = context.step(input.as_deref());
            drop(turn);
            step.map(|step| (context, step.token))
        });
        step.await.unwrap_or_else(|error| Err(gss::Error::Failed(error.to_string())))
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
pub(super) fn state_of(error: gss::Error) -> TicketState {
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
