//! Says that somebody works on it, on every connection whose answer takes longer.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use rustix::net::{SendFlags, send};

use crate::core::agent::WORK;

/// How often it is said.
const EVERY: Duration = Duration::from_millis(100);
/// How long the thread stays up after the last connection: to wake it for each would cost each of many
/// short ones more than its answer.
const UP: Duration = Duration::from_secs(1);

/// One thread for all connections, asleep while there are none.
pub(super) struct Ticker(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: Vec<Open>,
    /// Whether the thread looks again only when it is told to.
    is_asleep: bool,
}

struct Open {
    stream: Arc<UnixStream>,
    next: Instant,
}

/// A connection whose answer is being worked on. When it is dropped, nothing more is said there.
pub(super) struct Working<'a> {
    ticker: &'a Ticker,
    stream: Arc<UnixStream>,
}

impl Ticker {
    pub(super) fn start() -> io::Result<Self> {
        let inner = Arc::new(Inner::default());
        let weak = Arc::downgrade(&inner);
        thread::Builder::new().name("ticker".to_owned()).spawn(move || run(&weak))?;
        Ok(Self(inner))
    }

    /// Watches a connection, on which nobody else writes meanwhile.
    pub(super) fn watch(&self, stream: Arc<UnixStream>) -> Working<'_> {
        let open = Open { stream: Arc::clone(&stream), next: Instant::now() + EVERY };
        let mut state = self.0.state();
        state.open.push(open);
        let is_asleep = state.is_asleep;
        drop(state);
        if is_asleep {
            self.0.changed.notify_one();
        }
        Working { ticker: self, stream }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.ticker.0.state().open.retain(|open| !Arc::ptr_eq(&open.stream, &self.stream));
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.changed.notify_one();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(inner: &Weak<Inner>) {
    let mut last = Instant::now();
    // It ends within a tick of the agent's own end.
    while let Some(inner) = inner.upgrade() {
        let mut state = inner.state();
        state.is_asleep = state.open.is_empty() && last.elapsed() >= UP;
        let pause = if state.is_asleep { EVERY * 600 } else { EVERY / 2 };
        let waited = inner.changed.wait_timeout(state, pause);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.is_asleep || !state.open.is_empty() {
            last = now;
        }
        for open in state.open.iter_mut().filter(|open| open.next <= now) {
            open.next = now + EVERY;
            // One that takes nothing is not waited for: the line is short, and the next one comes.
            let _ = send(&open.stream, WORK, SendFlags::DONTWAIT);
        }
    }
}
