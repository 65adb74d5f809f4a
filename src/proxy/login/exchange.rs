//! One message of a login, and what is learnt from the answer to it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;

use crate::{
    core::{
        auth::choice::{Method, TicketState},
        challenge::Challenge,
        connect::Connection,
        page,
        refusal::Refusal,
        secret::SecretString,
    },
    proxy::{
        failure,
        hop::Failed,
        login::{
            Line, Login, Pass,
            conversation::{Heard, Silent},
            kerberos::{self, Trouble as KerberosTrouble},
            offer::{self, Asked, Broken},
        },
    },
};

impl Login {
    /// Returns what is said next. `Ok(None)`: this login has come to nothing, is to be dropped, and a
    /// new turn may find another way.
    pub(crate) async fn say(
        &self,
        pass: &mut Pass,
        line: &Line,
    ) -> Result<Option<Option<SecretString>>, Failed> {
        match pass.conversation.say(line).await {
            Ok(value) => {
                pass.speaks();
                Ok(Some(value))
            }
            // Another method may do, and the next turn says why not.
            Err(Silent::Kerberos(KerberosTrouble::Ticket(state))) => {
                self.breaks(pass, state, offer::BROKEN);
                Ok(None)
            }
            Err(Silent::Kerberos(KerberosTrouble::Silent)) if pass.method == Method::Ticket => {
                let what = format!("no KDC answered within {} s", kerberos::LIMIT.as_secs());
                self.breaks(pass, TicketState::Failed(what), offer::SILENT);
                Ok(None)
            }
            Err(Silent::Kerberos(KerberosTrouble::Unusable | KerberosTrouble::Silent)) => {
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

    /// The ticket gave no token: the next turn passes it over.
    fn breaks(&self, pass: &mut Pass, state: TicketState, lasts: Duration) {
        let (ticket, until) = (pass.ticket().cloned(), Instant::now() + lasts);
        self.offer().broken = Some(Broken { state, ticket, until });
        pass.give_up();
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
}
