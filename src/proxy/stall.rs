//! Looks for tunnels that have stalled. What that means is decided in `core::stall`.
//!
//! No tunnel has a timer. One that moves bytes puts itself on a list; a look at the list every two
//! seconds takes those off that have been silent for long, and lets each find out for itself whether it
//! has stalled. Without a list nobody looks: idle tunnels wake nobody.

use std::{
    future::poll_fn,
    mem,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::time::{Duration, Instant, sleep};

use crate::{
    core::stall::{self, Seen, Stall},
    proxy::holder::{Ends, Holder, Holders},
    sys::{process, stderr::Stderr},
};

/// How often the list is looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(2);
/// A tunnel that is reset so early, with so few bytes to the client, is reset within its handshake.
const HANDSHAKE: (Duration, std::ops::Range<u64>) = (Duration::from_secs(10), 1..16 * 1024);
/// So many tunnels on the list are none too many, open or closed.
const ROOM: usize = 64;
/// How long a program that ends over a stall may take for it, and how often it is looked at.
const LAST_WORDS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(20));

/// What one tunnel has moved, in bytes, and when.
#[derive(Debug)]
pub(crate) struct Freight {
    pub(crate) watch: Arc<Watch>,
    start: Instant,
    up: AtomicU64,
    down: AtomicU64,
    /// When bytes moved last, in milliseconds after the start.
    after: AtomicU64,
    /// Bytes from the client since the server spoke last.
    owed: AtomicU64,
    /// How long it was idle before those, in milliseconds.
    idle: AtomicU64,
    /// How often bytes came from the server.
    pieces: AtomicU64,
    /// How long the server has let drops fall, in milliseconds.
    drips: AtomicU64,
    /// Whether one direction has come to its end.
    has_end: AtomicBool,
    /// Whether it is on the list, or never to be put on it again.
    is_listed: AtomicBool,
    /// Whether it is time to find out, and whom to wake then. An eighth of tokio's `Notify`, in the task
    /// of each tunnel.
    is_due: AtomicBool,
    waker: Mutex<Option<Waker>>,
    /// Whether the client was asked for when its handshake was late, and who it is: when it gives up, it is gone.
    is_late: AtomicBool,
    late: Mutex<Option<Box<Late>>>,
}

/// A client that may give up its handshake.
#[derive(Debug)]
struct Late {
    since: Instant,
    client: Holder,
    stderr: Option<Stderr>,
}

impl Freight {
    pub(crate) fn new(watch: &Arc<Watch>) -> Arc<Self> {
        let zero = AtomicU64::default;
        Arc::new(Self {
            watch: Arc::clone(watch),
            start: Instant::now(),
            up: zero(),
            down: zero(),
            after: zero(),
            owed: zero(),
            idle: zero(),
            pieces: zero(),
            drips: zero(),
            has_end: AtomicBool::default(),
            is_listed: AtomicBool::default(),
            is_due: AtomicBool::default(),
            waker: Mutex::default(),
            is_late: AtomicBool::default(),
            late: Mutex::default(),
        })
    }

    /// Returns what it is now, from the client and to it.
    pub(crate) fn sums(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }

    /// Returns when bytes moved last, either way.
    pub(crate) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.after.load(Ordering::Relaxed))
    }

    /// Counts bytes from the client; none, when its end was passed on.
    pub(crate) fn sent(self: &Arc<Self>, length: u64) {
        let before = self.moves();
        self.up.fetch_add(length, Ordering::Relaxed);
        if self.owed.fetch_add(length, Ordering::Relaxed) == 0 {
            let idle = self.after.load(Ordering::Relaxed).saturating_sub(before);
            self.idle.store(idle, Ordering::Relaxed);
        }
        self.list(length);
    }

    /// Counts bytes from the server; none, when its end was passed on.
    pub(crate) fn answered(self: &Arc<Self>, length: u64) {
        self.moves();
        self.down.fetch_add(length, Ordering::Relaxed);
        self.pieces.fetch_add(1, Ordering::Relaxed);
        self.owed.store(0, Ordering::Relaxed);
        self.list(length);
    }

    /// Notes an end that a sender made; returns whether the other direction had one before.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_second_end(&self) -> bool {
        self.has_end.swap(true, Ordering::Relaxed)
    }

    /// Notes that something moves; returns when it did before.
    fn moves(&self) -> u64 {
        let after = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.after.swap(after, Ordering::Relaxed)
    }

    fn list(self: &Arc<Self>, length: u64) {
        if length > 0 && !self.is_listed.load(Ordering::Relaxed) {
            self.is_listed.store(true, Ordering::Relaxed);
            self.watch.take(Look::at(self));
        }
    }

    fn seen(&self) -> Seen {
        let time = |millis: &AtomicU64| Duration::from_millis(millis.load(Ordering::Relaxed));
        Seen {
            down: self.down.load(Ordering::Relaxed),
            owed: self.owed.load(Ordering::Relaxed),
            silent: self.last().elapsed(),
            idle: time(&self.idle),
            drips: time(&self.drips),
        }
    }

    /// Waits until it has stalled, which may be never. `ends` asks for those of the client's connection.
    pub(crate) async fn stalled(self: &Arc<Self>, ends: impl Fn() -> Option<Ends>) -> Stalled {
        loop {
            poll_fn(|context| self.poll_due(context)).await;
            // What only few tunnels need is not in the task of each.
            if self.seen().is_late() && !self.is_late.swap(true, Ordering::Relaxed) {
                // It stays on the list.
                Box::pin(self.remember(ends())).await;
                continue;
            }
            if let Some(stalled) = Box::pin(self.examine(ends())).await {
                return stalled;
            }
        }
    }

    /// Remembers who may give up.
    async fn remember(self: &Arc<Self>, ends: Option<Ends>) {
        let since = self.last();
        let Some(client) = self.watch.holders.patient(ends).await else { return };
        let late = Late { since, client, stderr: client.stderr() };
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(late));
    }

    /// The client has ended its side: returns whether it gave up. Neither go nor libcurl closes one side only.
    pub(crate) fn given_up(&self) -> Option<Stalled> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let Late { since, client, stderr } = *late;
        let seen = self.seen();
        let how = Stall::GivenUp { after: since.elapsed(), is_begun: seen.down > 0 };
        seen.is_early().then_some(Stalled { how, client: Some(client), is_at_work: false, stderr })
    }

    /// Returns whether a handshake is under way.
    pub(crate) fn is_in_handshake(&self) -> bool {
        let (up, down) = self.sums();
        self.start.elapsed() < HANDSHAKE.0 && HANDSHAKE.1.contains(&down) && up > 0
    }

    fn is_due(&self) {
        self.is_due.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll_due(&self, context: &Context<'_>) -> Poll<()> {
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_due.swap(false, Ordering::Relaxed) {
            return Poll::Ready(());
        }
        waker.get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
        Poll::Pending
    }

    async fn examine(self: &Arc<Self>, ends: Option<Ends>) -> Option<Stalled> {
        let mut how = self.seen().for_anybody();
        let mut client = None;
        if self.seen().is_suspect() {
            client = self.watch.holders.patient(ends).await;
            if how.is_none() {
                // Else it is not for us: marked as listed, it never comes here again.
                client?;
                how = self.seen().for_the_patient();
            }
        }
        if how.is_none() {
            self.is_listed.store(false, Ordering::Relaxed);
            // It has moved while it was asked for.
            if !self.seen().is_suspect() {
                self.list(1);
            }
        }
        let how = how?;
        // Opened before it ends over the reset.
        let stderr = client.and_then(Holder::stderr);
        let is_at_work = client.is_some_and(|client| process::has_children(client.pid));
        Some(Stalled { how, client, is_at_work, stderr })
    }
}

/// A tunnel that has stalled.
#[derive(Debug)]
pub(crate) struct Stalled {
    pub(crate) how: Stall,
    /// Who waits, where it would for ever.
    client: Option<Holder>,
    /// Whether it waits for others, such as compilers, and keeps the tunnel for later.
    is_at_work: bool,
    /// Its standard error.
    pub(crate) stderr: Option<Stderr>,
}

impl Stalled {
    /// Waits until it is known whether anybody should be told of it.
    pub(crate) async fn is_worth_telling(&self) -> bool {
        let (Stall::Stopped, Some(client)) = (self.how, self.client) else { return true };
        if self.is_at_work {
            return false;
        }
        let end = Instant::now() + LAST_WORDS.0;
        while process::program(client.pid).is_some() {
            if Instant::now() >= end {
                return false;
            }
            sleep(LAST_WORDS.1).await;
        }
        true
    }
}

/// The tunnels that have moved bytes and may stall.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    list: Mutex<List>,
    pub(crate) holders: Holders,
}

#[derive(Debug, Default)]
struct List {
    looks: Vec<Look>,
    /// So many may there be before those of closed tunnels are thrown out: many short ones leave more than
    /// a look every two seconds would.
    room: usize,
    /// Whether somebody looks.
    is_looked_at: bool,
}

impl Watch {
    fn take(self: &Arc<Self>, look: Look) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.looks.len() >= list.room {
            list.looks.retain(|look| look.freight.strong_count() > 0);
            list.room = list.looks.len() * 2 + ROOM;
        }
        list.looks.push(look);
        if !mem::replace(&mut list.is_looked_at, true) {
            tokio::spawn(Arc::clone(self).look());
        }
    }

    /// Looks until there is nothing to look at.
    async fn look(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.looks.retain_mut(Look::again);
            if list.looks.is_empty() {
                *list = List::default();
                return;
            }
        }
    }
}

/// What was seen of a tunnel at the last look.
#[derive(Debug)]
struct Look {
    /// It holds the waker of its task, and with it all of that: what has ended must not wait for a look.
    freight: Weak<Freight>,
    up: u64,
    down: u64,
    pieces: u64,
}

impl Look {
    fn at(freight: &Arc<Freight>) -> Self {
        let pieces = freight.pieces.load(Ordering::Relaxed);
        let (up, down) = freight.sums();
        Self { freight: Arc::downgrade(freight), up, down, pieces }
    }

    /// Looks again. Returns whether there is more to see.
    fn again(&mut self) -> bool {
        // The tunnel is closed.
        let Some(freight) = self.freight.upgrade() else { return false };
        let Self { freight: _, up, down, pieces } = Self::at(&freight);
        let drips = up == self.up && stall::are_drops(pieces - self.pieces, down - self.down);
        let before = freight.drips.load(Ordering::Relaxed);
        let look = u64::try_from(LOOK.as_millis()).unwrap_or(u64::MAX);
        freight.drips.store(if drips { before + look } else { 0 }, Ordering::Relaxed);
        (self.up, self.down, self.pieces) = (up, down, pieces);
        if freight.seen().is_late() && !freight.is_late.load(Ordering::Relaxed) {
            freight.is_due();
        }
        if freight.seen().is_suspect() {
            freight.is_due();
            return false;
        }
        true
    }
}
