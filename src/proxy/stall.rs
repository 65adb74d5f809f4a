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
    core::{
        refusal::Refusal,
        stall::{self, Seen, Stall},
    },
    net::wire::Wire,
    proxy::holder::{Ends, Holder, Holders},
    sys::{process, stderr::Stderr},
};

/// How often the list is looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(2);
/// A tunnel that is reset so early, with so few bytes to the client, is reset within its handshake.
const HANDSHAKE: (Duration, std::ops::Range<u64>) = (Duration::from_secs(10), 1..16 * 1024);
/// So many tunnels on the list are none too many, open or closed.
const ROOM: usize = 64;

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
    /// Bytes from the client when the server spoke first.
    hello: AtomicU64,
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

/// A go that may give up its handshake.
#[derive(Debug)]
struct Late {
    since: Instant,
    /// What had moved until then.
    sums: (u64, u64),
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
            hello: zero(),
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
        if self.down.fetch_add(length, Ordering::Relaxed) == 0 {
            self.hello.store(self.up.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.pieces.fetch_add(1, Ordering::Relaxed);
        self.owed.store(0, Ordering::Relaxed);
        if length > 0 {
            self.forget_late(|_| true);
        }
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

    /// Remembers a go that may give up, and opens its standard error: later, it may have ended.
    async fn remember(self: &Arc<Self>, ends: Option<Ends>) {
        let (since, sums) = (self.last(), self.sums());
        let client = self.watch.holders.patient(ends).await.filter(|client| client.is_go);
        let Some(client) = client else { return };
        let late = Late { since, sums, client, stderr: client.stderr().await };
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(late));
    }

    /// Closes the standard error of a client again: whoever reads a pipe waits until all have closed it.
    fn forget_late(&self, is_over: impl Fn(&Late) -> bool) {
        if self.is_late.load(Ordering::Relaxed) {
            let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            late.take_if(|late| is_over(late));
        }
    }

    /// The client has ended its side: returns whether it is a go that gave up. go never closes one side only.
    pub(crate) fn given_up(&self) -> Option<Stalled> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let Late { since, sums, client, stderr } = *late;
        let how = Stall::GivenUp { after: since.elapsed(), is_begun: sums.1 > 0 };
        (self.sums() == sums).then_some(Stalled::new(how, Some(client), stderr))
    }

    /// Returns whether a handshake is under way: the client has said its hello only, or is owed an answer. A server
    /// that ends a connection which is kept for later is as early, now and then.
    pub(crate) fn is_in_handshake(&self) -> bool {
        let (up, down) = self.sums();
        let is_hello = up == self.hello.load(Ordering::Relaxed);
        let is_begun = up > 0 && (is_hello || self.owed.load(Ordering::Relaxed) > 0);
        self.start.elapsed() < HANDSHAKE.0 && HANDSHAKE.1.contains(&down) && is_begun
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
        let (mut client, mut stderr) = (None, None);
        if self.seen().is_suspect() {
            client = self.watch.holders.patient(ends).await;
        }
        if let Some(client) = client {
            // Opened before it ends over the reset.
            stderr = client.stderr().await;
        }
        // The server may have answered while the client was looked for.
        let seen = self.seen();
        let for_the_patient = client.and_then(|_| seen.for_the_patient());
        if let Some(how) = seen.for_anybody().or(for_the_patient) {
            return Some(Stalled::new(how, client, stderr));
        }
        if client.is_none() && seen.is_suspect() {
            // It is not for us: marked as listed, it never comes here again.
            return None;
        }
        self.is_listed.store(false, Ordering::Relaxed);
        if !seen.is_suspect() {
            self.list(1);
        }
        None
    }
}

/// A tunnel that has stalled.
#[derive(Debug)]
pub(crate) struct Stalled {
    pub(crate) how: Stall,
    /// Who waits, where it would for ever.
    client: Option<Holder>,
    /// Whether it is a go that waits for others, such as compilers, and keeps the tunnel for later.
    is_at_work: bool,
    /// Its standard error.
    stderr: Option<Stderr>,
    /// Both ends, for as long as nobody has noticed.
    pub(crate) wires: Option<(Wire, Wire)>,
}

impl Stalled {
    fn new(how: Stall, client: Option<Holder>, stderr: Option<Stderr>) -> Self {
        let is_at_work =
            client.is_some_and(|client| client.is_go && process::has_children(client.pid));
        Self { how, client, is_at_work, stderr, wires: None }
    }

    /// Tells the program, and ends the tunnel with a reset both ways. Returns whether the rest of the world should
    /// hear of it: a server that spoke last may have said all, which shows only in what becomes of the program.
    pub(crate) async fn end(mut self, holders: &Holders, finding: &Refusal) -> bool {
        if self.how == Stall::Stopped {
            self.reset();
            let ends = match self.client {
                _ if self.is_at_work => false,
                Some(client) => client.ends().await,
                None => true,
            };
            if !ends {
                return false;
            }
        }
        // Before it notices, so that both do not speak at a time.
        if let (Some(client), Some(stderr)) = (self.client, self.stderr.take()) {
            holders.say(client, stderr, finding).await;
        }
        self.reset();
        true
    }

    fn reset(&mut self) {
        if let Some((client, server)) = self.wires.take() {
            client.reset();
            server.reset();
        }
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
        freight.forget_late(|late| !late.client.is_alive());
        if freight.seen().is_suspect() {
            freight.is_due();
            return false;
        }
        true
    }
}
