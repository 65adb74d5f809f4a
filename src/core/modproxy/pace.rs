//! Whether a body comes fast enough: over (how many bytes came, when). It reads nothing and has no clock.

use std::time::{Duration, Instant};

/// As good as for ever, and still a time that can be counted from now.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The pace of one body.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest between two bytes.
    idle: Duration,
    /// The rate is measured over so long.
    window: Duration,
    /// The fewest bytes in a window; 0 is any rate.
    least: u64,
    total: u64,
    /// When the last byte came.
    last: Instant,
    /// When this window began, and what came in it.
    start: Instant,
    within: u64,
}

/// Why a body is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing came for so long.
    Idle(Duration),
    /// Only so many bytes came within a window of this length.
    Slow(u64, Duration),
}

impl Pace {
    /// Starts with the head of an answer. `rate` is in bytes a second, over a window.
    pub fn new(idle: Duration, (rate, window): (u64, Duration), now: Instant) -> Self {
        let (idle, window) = (idle.min(LONGEST), window.min(LONGEST));
        let least = rate.saturating_mul(window.as_secs());
        Self { idle, window, least, total: 0, last: now, start: now, within: 0 }
    }

    /// So many bytes came.
    pub fn received(&mut self, bytes: u64, now: Instant) {
        if bytes == 0 {
            return;
        }
        self.last = now;
        self.total = self.total.saturating_add(bytes);
        self.within = self.within.saturating_add(bytes);
    }

    /// Nobody read for so long, because go did not take what had come: that is not the upstream's.
    pub fn held_up(&mut self, by: Duration) {
        self.last += by;
        self.start += by;
    }

    /// Returns what is wrong, if anything is. A window that ended well makes room for the next.
    pub fn check(&mut self, now: Instant) -> Option<Trouble> {
        let idle = now.saturating_duration_since(self.last);
        if idle >= self.idle {
            return Some(Trouble::Idle(idle));
        }
        if now.saturating_duration_since(self.start) < self.window {
            return None;
        }
        let within = std::mem::take(&mut self.within);
        self.start = now;
        (within < self.least).then_some(Trouble::Slow(within, self.window))
    }

    /// Returns when to [`check`](Self::check) even if nothing comes.
    pub fn deadline(&self) -> Instant {
        let idle = self.last + self.idle;
        if self.least == 0 { idle } else { idle.min(self.start + self.window) }
    }

    /// Returns how many bytes came in all.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{Pace, Trouble};

    const IDLE: Duration = Duration::from_secs(30);
    const WINDOW: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Receives so many bytes a second, until something is wrong. Returns when, and what.
    fn drip(bytes: u64, rate: u64, from: Instant) -> Option<(u64, Trouble)> {
        let mut pace = Pace::new(IDLE, (rate, WINDOW), from);
        (1..200).find_map(|second| {
            let now = from + seconds(second);
            pace.received(bytes, now);
            pace.check(now).map(|trouble| (second, trouble))
        })
    }

    #[test]
    fn a_body_that_stands_still_is_given_up_in_time() {
        let start = Instant::now();
        let mut pace = Pace::new(IDLE, (0, WINDOW), start);
        pace.received(10, start + seconds(5));
        assert_eq!(pace.deadline(), start + seconds(35));
        assert_eq!(pace.check(start + seconds(34)), None);
        assert_eq!(pace.check(start + seconds(35)), Some(Trouble::Idle(IDLE)));
        assert_eq!(pace.total(), 10);
    }

    #[test]
    fn a_body_that_drips_is_given_up_in_time() {
        let start = Instant::now();
        assert_eq!(drip(1, 1024, start), Some((30, Trouble::Slow(30, WINDOW))));
        assert_eq!(drip(1023, 1024, start), Some((30, Trouble::Slow(1023 * 30, WINDOW))));
        assert_eq!(drip(1024, 1024, start), None);
        assert_eq!(drip(1, 0, start), None);
        assert_eq!(Pace::new(IDLE, (1024, WINDOW), start).deadline(), start + WINDOW);
        assert_eq!(Pace::new(Duration::MAX, (u64::MAX, WINDOW), start).deadline(), start + WINDOW);
    }

    #[test]
    fn a_fast_beginning_does_not_pay_for_a_slow_end() {
        let start = Instant::now();
        let mut pace = Pace::new(IDLE, (1024, WINDOW), start);
        pace.received(u64::MAX, start + seconds(29));
        assert_eq!(pace.check(start + seconds(30)), None);
        for second in 31..60 {
            pace.received(1, start + seconds(second));
            assert_eq!(pace.check(start + seconds(second)), None);
        }
        assert_eq!(pace.check(start + seconds(60)), Some(Trouble::Slow(29, WINDOW)));
    }

    #[test]
    fn a_slow_reader_is_not_held_against_the_upstream() {
        let start = Instant::now();
        let mut pace = Pace::new(IDLE, (1024, WINDOW), start);
        pace.received(100, start + seconds(1));
        pace.held_up(seconds(300));
        assert_eq!(pace.check(start + seconds(301)), None);
        assert_eq!(pace.deadline(), start + seconds(330));
    }

    proptest! {
        #[test]
        fn nothing_is_wrong_before_the_deadline(
            steps in proptest::collection::vec((0u64..40_000, 0u64..20_000), 1..50),
            rate in 0u64..2000,
        ) {
            let mut now = Instant::now();
            let mut pace = Pace::new(IDLE, (rate, WINDOW), now);
            for (bytes, millis) in steps {
                let then = now + Duration::from_millis(millis);
                if then < pace.deadline() {
                    prop_assert_eq!(pace.check(then), None);
                }
                now = then;
                let deadline = pace.deadline();
                pace.received(bytes, now);
                if pace.check(now).is_some() {
                    prop_assert!(now >= deadline);
                    break;
                }
                prop_assert!(pace.deadline() > now);
            }
        }
    }
}
