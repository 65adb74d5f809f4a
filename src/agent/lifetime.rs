//! How long keys are held.

use std::time::Duration;

/// How long keys are held. Times are those of `sys::clock::running`, which runs on while a laptop sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// After the unlocking.
    pub whole: Duration,
    /// After the last answer.
    pub idle: Option<Duration>,
}

/// A working day.
const WHOLE: Duration = Duration::from_secs(12 * 60 * 60);

impl Lifetime {
    /// Reads what the configuration says; a pause of 0 is none.
    pub fn of(whole: Option<Duration>, idle: Option<Duration>) -> Self {
        Self { whole: whole.unwrap_or(WHOLE), idle: idle.filter(|idle| !idle.is_zero()) }
    }

    /// Returns whether it is over for a key that came at `since`, when the last answer was at `used`.
    pub(super) fn is_over(self, since: Duration, used: Duration, now: Duration) -> bool {
        let Self { whole, idle } = self;
        now.saturating_sub(since) >= whole
            || idle.is_some_and(|idle| now.saturating_sub(used.max(since)) >= idle)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Lifetime;

    #[test]
    fn a_key_ends_with_its_time_or_with_the_pause() {
        let second = Duration::from_secs;
        let is_over = |whole, idle, since, used, now| {
            Lifetime::of(whole, idle).is_over(second(since), second(used), second(now))
        };
        let (day, hour) = (Some(second(100)), Some(second(10)));
        assert!(!is_over(day, None, 5, 0, 104));
        assert!(is_over(day, None, 5, 104, 105));
        assert!(!is_over(day, hour, 5, 20, 29));
        assert!(is_over(day, hour, 5, 20, 30));
        assert!(
            !is_over(day, hour, 25, 0, 34),
            "what came after the last answer has its pause, too"
        );
        assert!(!is_over(None, Some(second(0)), 0, 0, 43_199));
        assert!(is_over(None, None, 0, 0, 43_200));
        assert!(is_over(Some(second(0)), None, 5, 5, 5), "0 holds nothing");
    }
}
