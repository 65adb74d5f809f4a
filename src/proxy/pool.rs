//! Spare connections to one upstream that have logged in: a proxy that keeps the login with the
//! connection takes the next CONNECT as it is, without the two further round trips of NTLM.
//!
//! How many there are follows the demand of the last minute; without demand there are none. It holds
//! and counts; who makes them is `hop`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::{sleep, sleep_until};

use crate::{net::wire::Wire, proxy::upstreams::Upstream};

/// How long one waits to be used. squid closes after two minutes, others after one.
const IDLE: Duration = Duration::from_secs(50);
/// How long a demand is remembered.
const MEMORY: Duration = Duration::from_secs(60);
/// The demand is counted by the second.
const SECOND: Duration = Duration::from_secs(1);
/// The fewest and the most that are kept while there is demand.
const FEWEST: usize = 2;
const MOST: usize = 128;
/// The making of more waits until nobody has taken one for so long: the upstream and its domain
/// controller have the same processors for both.
const LULL: Duration = Duration::from_millis(5);
/// So many are made at a time: a domain controller has others to serve.
const AT_ONCE: usize = 4;

/// The spare connections.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The freshest last.
    spare: Vec<Spare>,
    making: usize,
    keeps: Keeps,
    /// Whether the next connection that logs in is asked once more.
    is_doubted: bool,
    /// Whether a tunnel was opened, or refused, on a connection that had logged in.
    has_served: bool,
    demand: Demand,
    /// Whether somebody waits to throw out the oldest.
    watched: bool,
    /// Counts what makes earlier connections worthless.
    era: u64,
}

struct Spare {
    wire: Wire,
    since: Instant,
}

/// Whether the upstream keeps the login with the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keeps {
    No,
    #[default]
    Unknown,
    Yes,
}

/// How many connections are used in a second.
#[derive(Debug, Default)]
struct Demand {
    second: Option<Instant>,
    count: usize,
    peak: usize,
    peak_at: Option<Instant>,
    last: Option<Instant>,
}

impl Pool {
    /// Returns whether it is of use.
    pub(crate) fn keeps(&self) -> Keeps {
        self.lock().keeps
    }

    /// Learns whether the upstream keeps the login.
    pub(crate) fn learn(&self, keeps: Keeps) {
        let mut inner = self.lock();
        inner.keeps = keeps;
        inner.is_doubted = false;
        if keeps == Keeps::No {
            inner.spare.clear();
        }
    }

    /// A connection that had logged in was asked to log in. Where the upstream has kept logins before,
    /// this one may have expired: the next one that logs in shows whether it still keeps them.
    pub(crate) fn doubt(&self) {
        let mut inner = self.lock();
        if inner.keeps == Keeps::Yes {
            inner.is_doubted = true;
        } else {
            inner.keeps = Keeps::No;
            inner.spare.clear();
        }
    }

    /// Returns whether it is certain that the upstream keeps the login.
    pub(crate) fn surely_keeps(&self) -> bool {
        let inner = self.lock();
        inner.keeps == Keeps::Yes && !inner.is_doubted
    }

    /// A connection that had logged in was of use for a tunnel.
    pub(crate) fn serves(&self) {
        self.lock().has_served = true;
    }

    /// Returns whether the upstream keeps the login for tunnels, too.
    pub(crate) fn has_served(&self) -> bool {
        self.lock().has_served
    }

    /// Takes the freshest connection that is still open, and counts the demand.
    pub(crate) fn take(&self) -> Option<Wire> {
        let mut inner = self.lock();
        inner.demand.count(Instant::now());
        while let Some(Spare { mut wire, since }) = inner.spare.pop() {
            if since.elapsed() < IDLE && wire.is_silent() {
                return Some(wire);
            }
        }
        None
    }

    /// Starts the making of one, if one is wanted; returns the era that it belongs to.
    pub(crate) fn begin(&self) -> Option<u64> {
        let mut inner = self.lock();
        let wanted = inner.demand.wanted(Instant::now());
        let is_wanted = inner.keeps != Keeps::No
            && inner.making < AT_ONCE
            && inner.spare.len() + inner.making < wanted;
        is_wanted.then(|| {
            inner.making += 1;
            inner.era
        })
    }

    /// Waits for a lull, as long as more than a quarter of what is wanted is there.
    pub(crate) async fn lull(&self) {
        loop {
            sleep(LULL).await;
            let (inner, now) = (self.lock(), Instant::now());
            let is_low = inner.spare.len() * 4 <= inner.demand.wanted(now);
            if is_low || inner.demand.has_lull(now) {
                return;
            }
        }
    }

    /// Ends the making of one.
    pub(crate) fn end(upstream: &Arc<Upstream>, era: u64, made: Option<Wire>) {
        let mut inner = upstream.pool.lock();
        inner.making = inner.making.saturating_sub(1);
        let Some(wire) = made.filter(|_| era == inner.era && inner.keeps != Keeps::No) else {
            return;
        };
        inner.spare.push(Spare { wire, since: Instant::now() });
        if !std::mem::replace(&mut inner.watched, true) {
            tokio::spawn(watch(Arc::clone(upstream)));
        }
    }

    /// Closes all of them.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.spare.clear();
        inner.has_served = false;
        inner.era += 1;
        // Another network may lead to another proxy.
        if inner.keeps == Keeps::No {
            inner.keeps = Keeps::Unknown;
        }
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().spare.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that nobody used, until there are none; nothing wakes while there are none.
async fn watch(upstream: Arc<Upstream>) {
    loop {
        let next = {
            let mut inner = upstream.pool.lock();
            inner.spare.retain(|spare| spare.since.elapsed() < IDLE);
            let Some(oldest) = inner.spare.iter().map(|spare| spare.since).min() else {
                inner.watched = false;
                return;
            };
            oldest + IDLE
        };
        sleep_until(next.into()).await;
    }
}

impl Demand {
    fn count(&mut self, now: Instant) {
        let is_over = |start: Instant| now.saturating_duration_since(start) >= SECOND;
        if self.second.is_none_or(is_over) {
            self.second = Some(now);
            self.count = 0;
        }
        self.count += 1;
        self.last = Some(now);
        let is_old = |at: Instant| now.saturating_duration_since(at) >= MEMORY;
        if self.count >= self.peak || self.peak_at.is_none_or(is_old) {
            self.peak = self.count;
            self.peak_at = Some(now);
        }
    }

    fn has_lull(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= LULL)
    }

    fn wanted(&self, now: Instant) -> usize {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < MEMORY;
        if self.second.is_some_and(is_fresh) { self.peak.clamp(FEWEST, MOST) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Demand, FEWEST, LULL, MOST};

    #[test]
    fn as_many_are_wanted_as_were_used_in_the_busiest_second_of_the_last_minute() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let mut demand = Demand::default();
        assert_eq!(demand.wanted(start), 0);
        demand.count(start);
        assert_eq!(demand.wanted(start), FEWEST);
        assert!(!demand.has_lull(start + LULL / 2) && demand.has_lull(start + LULL));
        for _ in 0..40 {
            demand.count(after(2));
        }
        demand.count(after(30));
        assert_eq!(demand.wanted(after(31)), 40);
        demand.count(after(62));
        assert_eq!(demand.wanted(after(62)), FEWEST);
        assert_eq!(demand.wanted(after(123)), 0);
        for _ in 0..1_000 {
            demand.count(after(200));
        }
        assert_eq!(demand.wanted(after(200)), MOST);
    }
}
