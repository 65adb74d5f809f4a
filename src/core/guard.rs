//! How often a proxy secret may be tried: once, until the proxy accepts it.
//!
//! A domain locks an account after five to ten wrong passwords, and one `go mod tidy` opens forty
//! connections. The rule is a value here; waiting and sending are elsewhere.

use std::time::{Duration, Instant};

/// After this long without a success the next use is tried alone again.
pub const TRUST: Duration = Duration::from_secs(30);

/// A store is asked at most this often while it has nothing better to offer.
pub const REREAD: Duration = Duration::from_secs(1);

/// What is known of the secret for one upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The store has not been asked yet.
    Unread,
    /// There is a secret, and the upstream has not judged it.
    Untried,
    /// The upstream accepted it, last at this time.
    Accepted(Instant),
    /// There is no secret that may be sent: none stored, rejected, or the store did not answer. The
    /// store said so at this time.
    Barred(Instant),
}

/// What a connection that needs the secret does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send it; others do so at the same time.
    Share,
    /// Ask the store, then send it alone, while the others wait for the outcome.
    Lead,
    /// Send nothing.
    Refuse,
}

impl Standing {
    /// Decides the turn of a connection.
    pub fn turn(self, now: Instant) -> Turn {
        let age = |since: Instant| now.saturating_duration_since(since);
        match self {
            Self::Accepted(since) if age(since) < TRUST => Turn::Share,
            Self::Barred(since) if age(since) < REREAD => Turn::Refuse,
            Self::Unread | Self::Untried | Self::Accepted(_) | Self::Barred(_) => Turn::Lead,
        }
    }

    /// The upstream accepted the secret.
    pub fn accepted(&mut self, now: Instant) {
        *self = Self::Accepted(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Standing, Turn};

    #[test]
    fn a_secret_is_shared_only_while_its_last_success_is_fresh() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        for (standing, at, turn) in [
            (Standing::Unread, 0, Turn::Lead),
            (Standing::Untried, 0, Turn::Lead),
            (Standing::Accepted(start), 29_999, Turn::Share),
            (Standing::Accepted(start), 30_000, Turn::Lead),
            (Standing::Barred(start), 999, Turn::Refuse),
            (Standing::Barred(start), 1_000, Turn::Lead),
        ] {
            assert_eq!(standing.turn(after(at)), turn, "{standing:?} {at}");
        }
    }

    #[test]
    fn a_success_renews_the_trust() {
        let start = Instant::now();
        let mut standing = Standing::Accepted(start);
        standing.accepted(start + Duration::from_secs(20));
        assert_eq!(standing.turn(start + Duration::from_secs(49)), Turn::Share);
    }
}
