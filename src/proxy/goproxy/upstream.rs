//! One module proxy of the list: where it is, how healthy it is, and what became of its questions.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::reach::Server;
use crate::core::{
    breaker::{Admission, Breaker, Health},
    modproxy::list::Base,
    refusal::Refusal,
};

/// One module proxy. It outlives a reload that leaves its URL alone.
pub(super) struct Upstream {
    pub(super) base: Base,
    pub(super) server: Server,
    health: Mutex<State>,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
}

#[derive(Default)]
struct State {
    breaker: Breaker,
    /// Why it failed last.
    why: Option<Refusal>,
}

/// Whether a request asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    Yes,
    /// It is the one that finds out whether it works again.
    Probe,
    /// It does not: why it failed last, and for how long it is left alone.
    No(Option<Refusal>, Duration),
}

impl Upstream {
    /// `None`: its host is no name.
    pub(super) fn new(base: &Base) -> Option<Self> {
        Some(Self {
            server: Server::new(&base.origin)?,
            base: base.clone(),
            health: Mutex::default(),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    pub(super) fn url(&self) -> String {
        format!("{}{}", self.base.origin, self.base.path)
    }

    /// Decides whether a request asks it.
    pub(super) fn admit(&self) -> Admitted {
        let (mut state, now) = (self.lock(), Instant::now());
        match state.breaker.admit(now) {
            Admission::Use => Admitted::Yes,
            Admission::Probe => Admitted::Probe,
            Admission::Avoid => {
                let left = match state.breaker.health(now) {
                    Health::OutOfOrder(left) => left,
                    Health::Good | Health::Probed => Duration::from_secs(1),
                };
                Admitted::No(state.why.clone(), left)
            }
        }
    }

    /// Returns whether it answered anybody within this time.
    pub(super) fn has_answered_within(&self, limit: Duration) -> bool {
        self.lock().breaker.has_answered_within(limit, Instant::now())
    }

    /// It answered, if only that it will not.
    pub(super) fn works(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.breaker.success(Instant::now());
        state.why = None;
    }

    /// It was not reached, or does not answer.
    pub(super) fn fails(&self, why: &Refusal) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let jitter = getrandom::u32().unwrap_or(u32::MAX / 2);
        let mut state = self.lock();
        state.breaker.failure(Instant::now(), jitter);
        state.why = Some(why.clone());
    }

    /// It kept a request waiting for which there is somebody else: the next ones do not wait for it.
    pub(super) fn is_passed_over(&self, why: &Refusal) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let jitter = getrandom::u32().unwrap_or(u32::MAX / 2);
        let mut state = self.lock();
        state.breaker.overtaken(Instant::now(), jitter);
        state.why = Some(why.clone());
    }

    /// The network has changed: nothing is known any more.
    pub(super) fn forget(&self) {
        *self.lock() = State::default();
    }

    /// Returns how it is, for people.
    pub(super) fn health(&self) -> String {
        match self.lock().breaker.health(Instant::now()) {
            Health::Good => "good".to_owned(),
            Health::OutOfOrder(left) if left.is_zero() => {
                "out of order, tried again with the next request".to_owned()
            }
            Health::OutOfOrder(left) => {
                format!("out of order, tried again in {} s", left.as_secs().max(1))
            }
            Health::Probed => "being tried again".to_owned(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Admitted, Upstream};
    use crate::core::{modproxy::list::Upstreams, refusal::Refusal};

    #[test]
    fn five_failures_in_a_row_leave_it_alone_and_a_new_network_does_not() {
        let list = Upstreams::parse("https://a.test/go").unwrap();
        let upstream = Upstream::new(list.proxies().next().unwrap()).unwrap();
        let why = Refusal::new(502, "connection_refused", "nobody is there").code("N01");
        for _ in 0..5 {
            assert_eq!(upstream.admit(), Admitted::Yes);
            upstream.fails(&why);
        }
        let Admitted::No(told, left) = upstream.admit() else { panic!("it is asked") };
        assert_eq!((told, left.is_zero()), (Some(why), false));
        assert!(upstream.health().starts_with("out of order"));
        upstream.forget();
        assert_eq!(upstream.admit(), Admitted::Yes);
        assert_eq!(
            (upstream.health().as_str(), upstream.url().as_str()),
            ("good", "https://a.test/go")
        );
    }

    #[test]
    fn one_silence_is_enough_where_somebody_else_is_asked() {
        let list = Upstreams::parse("https://a.test").unwrap();
        let upstream = Upstream::new(list.proxies().next().unwrap()).unwrap();
        upstream.is_passed_over(&Refusal::new(504, "http_response_timeout", "it is silent"));
        assert!(matches!(upstream.admit(), Admitted::No(Some(_), _)));
    }
}
