//! Whether an upstream is worth trying: a circuit breaker over (what happened, when).
//!
//! It sends nothing and owns no clock. It never keeps a request from the only way there is: whoever
//! routes puts an upstream that is out of order behind the others, not away.

use std::time::{Duration, Instant};

/// So many failures in a row open it.
const IN_A_ROW: u32 = 5;
/// Or half of at least so many outcomes within [`WINDOW`].
const ENOUGH: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// The first time it stays open for so long; then twice as long, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);

/// The health of one upstream. Outcomes are of the way to it, never of what is behind it: a refusal
/// in HTTP is a success here.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    in_a_row: u32,
    window: Window,
    /// How often it has opened without a success between.
    opened: u32,
    /// When it answered last.
    answered: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    /// One request tries it; the others go elsewhere until its outcome, or this time.
    Probing {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: Option<Instant>,
    outcomes: u32,
    failures: u32,
}

/// What a request does with an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Uses it.
    Use,
    /// Uses it, as the one request that finds out whether it works again.
    Probe,
    /// Tries the others first.
    Avoid,
}

/// The state, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works, or nothing is known.
    Good,
    /// It is avoided for that long.
    OutOfOrder(Duration),
    /// One request is finding out.
    Probed,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            in_a_row: 0,
            window: Window::default(),
            opened: 0,
            answered: None,
        }
    }
}

impl Breaker {
    /// Decides for one request.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::Use,
            State::Open { until } | State::Probing { until } if now < until => Admission::Avoid,
            State::Open { .. } | State::Probing { .. } => {
                // A probe that never reports must not keep it out of use.
                self.state = State::Probing { until: now + SHORTEST };
                Admission::Probe
            }
        }
    }

    /// The upstream answered. Returns whether that closed it.
    pub fn success(&mut self, now: Instant) -> bool {
        let was_out = self.state != State::Closed;
        self.count(now, 0);
        *self = Self { window: self.window, answered: Some(now), ..Self::default() };
        was_out
    }

    /// It could not be reached, or broke off. `jitter` is a random number. Returns whether that
    /// opened it.
    pub fn failure(&mut self, now: Instant, jitter: u32) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.count(now, 1);
        let Window { start: _, outcomes, failures } = self.window;
        let too_many = outcomes >= ENOUGH && failures * 2 >= outcomes;
        match self.state {
            State::Closed if self.in_a_row >= IN_A_ROW || too_many => self.open(now, jitter),
            State::Probing { .. } => self.open(now, jitter),
            State::Closed | State::Open { .. } => false,
        }
    }

    /// It kept a request waiting that another upstream served, or that is sent to another one for that
    /// reason: the next requests do not wait for it.
    pub fn overtaken(&mut self, now: Instant, jitter: u32) -> bool {
        match self.state {
            State::Open { .. } => false,
            State::Closed | State::Probing { .. } => self.open(now, jitter),
        }
    }

    /// Returns whether it answered anybody within this time.
    pub fn has_answered_within(&self, limit: Duration, now: Instant) -> bool {
        self.answered.is_some_and(|answered| now.saturating_duration_since(answered) <= limit)
    }

    /// The network has changed: nothing is known any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Returns the state, for people.
    pub fn health(&self, now: Instant) -> Health {
        match self.state {
            State::Closed => Health::Good,
            State::Open { until } => Health::OutOfOrder(until.saturating_duration_since(now)),
            State::Probing { .. } => Health::Probed,
        }
    }

    /// Opens for 5 s · 2ⁿ ± 50 %, at most 300 s (resilience-security.md §4).
    fn open(&mut self, now: Instant, jitter: u32) -> bool {
        let whole = SHORTEST.saturating_mul(1 << self.opened.min(6)).min(LONGEST);
        let share = whole.mul_f64(0.5 + f64::from(jitter) / f64::from(u32::MAX));
        self.opened = self.opened.saturating_add(1);
        self.state = State::Open { until: now + share.min(LONGEST) };
        true
    }

    fn count(&mut self, now: Instant, failures: u32) {
        let is_old = |start: Instant| now.saturating_duration_since(start) >= WINDOW;
        if self.window.start.is_none_or(is_old) {
            self.window = Window { start: Some(now), outcomes: 0, failures: 0 };
        }
        self.window.outcomes = self.window.outcomes.saturating_add(1);
        self.window.failures = self.window.failures.saturating_add(failures);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Admission, Breaker, Health};

    const MIDDLE: u32 = u32::MAX / 2;

    fn opened() -> (Breaker, Instant) {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..4 {
            assert!(!breaker.failure(start, MIDDLE));
        }
        assert!(breaker.failure(start, MIDDLE));
        (breaker, start)
    }

    #[test]
    fn an_answer_is_recent_for_as_long_as_is_asked() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let limit = Duration::from_millis(250);
        assert!(!breaker.has_answered_within(limit, start));
        breaker.success(start);
        breaker.failure(start, MIDDLE);
        assert!(breaker.has_answered_within(limit, start + limit));
        assert!(!breaker.has_answered_within(limit, start + limit + Duration::from_millis(1)));
        breaker.forget();
        assert!(!breaker.has_answered_within(limit, start));
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_probe_finds_out() {
        let (mut breaker, start) = opened();
        assert_eq!(breaker.admit(start + Duration::from_secs(4)), Admission::Avoid);
        let later = start + Duration::from_millis(5_001);
        assert_eq!(breaker.admit(later), Admission::Probe);
        assert_eq!(breaker.admit(later), Admission::Avoid);
        assert!(breaker.success(later));
        assert_eq!(breaker.admit(later), Admission::Use);
    }

    #[test]
    fn a_failed_probe_doubles_the_time_up_to_five_minutes() {
        let (mut breaker, mut now) = opened();
        for seconds in [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0] {
            let Health::OutOfOrder(left) = breaker.health(now) else { panic!() };
            assert!((left.as_secs_f64() - seconds).abs() < 0.01, "{left:?}");
            now += left + Duration::from_millis(1);
            assert_eq!(breaker.admit(now), Admission::Probe);
            assert!(breaker.failure(now, MIDDLE));
        }
    }

    #[test]
    fn a_probe_that_never_reports_is_followed_by_another() {
        let (mut breaker, start) = opened();
        let later = start + Duration::from_secs(6);
        assert_eq!(breaker.admit(later), Admission::Probe);
        assert_eq!(breaker.admit(later + Duration::from_secs(6)), Admission::Probe);
    }

    #[test]
    fn half_of_twenty_open_it_and_fewer_do_not() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let mut opened = false;
        for _ in 0..10 {
            breaker.success(now);
            opened |= breaker.failure(now, MIDDLE);
        }
        assert!(opened);
        let mut breaker = Breaker::default();
        for turn in 0..30 {
            let late = now + Duration::from_secs(2 * turn);
            breaker.success(late);
            assert!(!breaker.failure(late, MIDDLE), "{turn}");
        }
    }

    #[test]
    fn one_that_was_overtaken_is_avoided_at_once_until_it_answers() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert!(breaker.overtaken(now, 0));
        assert_eq!(breaker.admit(now), Admission::Avoid);
        assert!(breaker.success(now));
        assert_eq!(breaker.admit(now), Admission::Use);
    }

    #[test]
    fn a_changed_network_forgets_everything() {
        let (mut breaker, now) = opened();
        breaker.forget();
        assert_eq!(breaker.admit(now), Admission::Use);
    }
}
