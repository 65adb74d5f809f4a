//! How often a proxy secret may be tried: once, until the proxy accepts it; three times, where the
//! proxy takes it and breaks off.
//!
//! A domain locks an account after five to ten wrong passwords, and one `go mod tidy` opens forty
//! connections. The rule is a value here; waiting and sending are elsewhere.

use std::time::{Duration, Instant};

/// After this long without a success the next use is tried alone again: what was changed in a pause
/// costs one login, not one for each connection.
pub const SHARE: Duration = Duration::from_secs(1);

/// After this long without a success the store is asked again.
pub const TRUST: Duration = Duration::from_secs(30);

/// A store is asked at most this often while it has nothing better to offer.
pub const REREAD: Duration = Duration::from_secs(1);

/// A secret that an upstream has never accepted is not proven there again when it has broken off so
/// often instead of an answer: a domain controller behind it may have counted each as a failed login.
pub const UNANSWERED: u8 = 3;

/// How long one proof of a secret that an upstream has never accepted keeps the others waiting. It is
/// less than they wait for their turn, so that one of them is left to try it where this one's target
/// is silent.
pub const UNJUDGED: Duration = Duration::from_secs(12);

/// Where silence is what so many proofs met, one more follows after this time. It may have been their
/// targets that were silent: that must not bar a good password for good. Directories count failed
/// logins over 10 to 30 minutes, so they count four of ours, or six.
pub const SILENCE: Duration = Duration::from_secs(600);

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
    /// Send it alone, while the others wait for the outcome.
    Lead,
    /// Ask the store, and then do the same.
    ReadAndLead,
    /// Send nothing.
    Refuse,
}

impl Standing {
    /// Decides the turn of a connection.
    pub fn turn(self, now: Instant) -> Turn {
        let age = |since: Instant| now.saturating_duration_since(since);
        match self {
            Self::Accepted(since) if age(since) < SHARE => Turn::Share,
            Self::Accepted(since) if age(since) < TRUST => Turn::Lead,
            Self::Barred(since) if age(since) < REREAD => Turn::Refuse,
            Self::Unread | Self::Untried | Self::Accepted(_) | Self::Barred(_) => Turn::ReadAndLead,
        }
    }

    /// The user may have changed the secret: the store is asked before the next use. One that was
    /// accepted is kept where the store does not answer.
    pub fn doubt(&mut self, now: Instant) {
        *self = match (*self, now.checked_sub(TRUST)) {
            (Self::Accepted(_), Some(long_ago)) => Self::Accepted(long_ago),
            (Self::Accepted(_), None) | (Self::Unread | Self::Untried | Self::Barred(_), _) => {
                Self::Untried
            }
        };
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
            (Standing::Unread, 0, Turn::ReadAndLead),
            (Standing::Untried, 0, Turn::ReadAndLead),
            (Standing::Accepted(start), 999, Turn::Share),
            (Standing::Accepted(start), 1_000, Turn::Lead),
            (Standing::Accepted(start), 29_999, Turn::Lead),
            (Standing::Accepted(start), 30_000, Turn::ReadAndLead),
            (Standing::Barred(start), 999, Turn::Refuse),
            (Standing::Barred(start), 1_000, Turn::ReadAndLead),
        ] {
            assert_eq!(standing.turn(after(at)), turn, "{standing:?} {at}");
        }
    }

    #[test]
    fn what_is_in_doubt_is_read_anew() {
        let start = Instant::now() + Duration::from_secs(60);
        for standing in [Standing::Unread, Standing::Untried, Standing::Barred(start)] {
            let mut standing = standing;
            standing.doubt(start);
            assert_eq!(standing.turn(start), Turn::ReadAndLead);
        }
        let mut standing = Standing::Accepted(start);
        standing.doubt(start);
        assert!(matches!(standing, Standing::Accepted(_)));
        assert_eq!(standing.turn(start), Turn::ReadAndLead);
    }

    #[test]
    fn a_success_renews_the_trust() {
        let start = Instant::now();
        let mut standing = Standing::Accepted(start);
        standing.accepted(start + Duration::from_secs(20));
        assert_eq!(standing.turn(start + Duration::from_millis(20_999)), Turn::Share);
    }
}
