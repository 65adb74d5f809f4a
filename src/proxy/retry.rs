//! How an attempt to send a request ended without an answer for the client, and what follows: another
//! attempt, another upstream, or a refusal.

use std::io;

use crate::{
    core::{http1, refusal::Refusal},
    net::wire::HeadError,
    proxy::{
        failure,
        forward::{Exchange, Fresh, To},
        hop::Failed,
        upload::Error,
        upstreams::Upstream,
    },
};

/// How one attempt ended without a response for the client.
pub(crate) enum Retry {
    /// The secret was rejected, or asked for, or the kept connection was stale: try again.
    Again,
    /// The hop is out of order, and the request may be sent to the next one.
    Elsewhere(Refusal),
    Failed(Refusal),
}

impl From<Failed> for Retry {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Hop(refusal) => Self::Elsewhere(refusal),
            Failed::Request(refusal) => Self::Failed(refusal),
        }
    }
}

/// Names an answer that cannot be passed on by its code, which depends on who gave it.
pub(crate) fn broken(from: &str, to: &To, error: &HeadError) -> Refusal {
    let refusal = failure::bad_answer(from, error);
    match (to, error) {
        (To::Upstream(_), HeadError::Http(http1::Error::TooLarge(_))) => refusal.code("P23"),
        (To::Upstream(_), HeadError::Http(_)) => refusal.code("P21"),
        (To::Upstream(_), _) => refusal.code("P18"),
        (To::Target(_) | To::Tunnel(..), HeadError::Http(http1::Error::TooLarge(_))) => {
            refusal.code("H12")
        }
        (To::Target(_) | To::Tunnel(..), HeadError::Truncated) => refusal.code("H04"),
        (To::Target(_) | To::Tunnel(..), _) => refusal,
    }
}

impl Exchange<'_> {
    /// Learns from a request that an upstream did not answer.
    pub(crate) fn unanswered(
        &self,
        error: Error,
        fresh: Fresh,
        to: &To,
        upstream: &Upstream,
    ) -> Retry {
        let (is_broken_off, is_client) = (error.is_broken_off(), matches!(error, Error::Client(_)));
        let retry = self.stale(error, fresh, to);
        match retry {
            Retry::Failed(refusal) if !is_client => {
                upstream.fails();
                if is_broken_off && self.may_repeat() {
                    Retry::Elsewhere(refusal)
                } else {
                    Retry::Failed(refusal)
                }
            }
            retry => retry,
        }
    }

    /// A kept connection that ends before a byte of the answer was stale, which is no failure.
    pub(crate) fn stale(&self, error: Error, fresh: Fresh, to: &To) -> Retry {
        let from = self.answerer(to);
        let error = match error {
            Error::Client(refusal) => return Retry::Failed(refusal),
            Error::Server(error) => error,
        };
        match (error, fresh) {
            (HeadError::Broken(_) | HeadError::Closed, Fresh::No) => Retry::Again,
            (HeadError::Broken(error), Fresh::Yes) if error.kind() == io::ErrorKind::TimedOut => {
                Retry::Failed(failure::no_answer(&from))
            }
            (HeadError::Broken(_) | HeadError::Closed, Fresh::Yes) => {
                Retry::Failed(failure::empty_answer(&from))
            }
            (error @ (HeadError::Truncated | HeadError::Http(_)), _) => {
                Retry::Failed(broken(&from, to, &error))
            }
        }
    }
}
