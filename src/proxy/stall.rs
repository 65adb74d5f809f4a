//! Looks for tunnels that have stalled. What that means is decided in `core::stall`.
//!
//! No tunnel has a timer. One that moves bytes puts itself on a list; a look at the list every two
//! seconds takes those off that have been silent for long, and lets each find out for itself whether it
//! has stalled. Without a list nobody looks: idle tunnels wake nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    mem,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    net::TcpStream,
    sync::Mutex as Turn,
    task::spawn_blocking,
    time::{Duration, Instant, sleep},
};

use crate::{
    core::stall::{self, Seen, Stall},
    sys::{owner, peer::Registry, process},
};

/// How often the list is looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(2);
/// So many tunnels on the list are none too many, open or closed.
const ROOM: usize = 64;
/// How long a program that ends over a stall may take for it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What one tunnel has moved, in bytes, and when.
#[derive(Debug)]
pub(crate) struct Freight {
    watch: Arc<Watch>,
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
            if let Some(stalled) = Box::pin(self.examine(ends())).await {
                return stalled;
            }
        }
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
        let mut pid = None;
        let mut how = self.seen().for_anybody();
        if how.is_none() && self.seen().is_suspect() {
            // Else it is not for us: marked as listed, it never comes here again.
            pid = Some(self.watch.patient(ends).await?);
            how = self.seen().for_the_patient();
        }
        if how.is_none() {
            self.is_listed.store(false, Ordering::Relaxed);
            // It has moved while it was asked for.
            if !self.seen().is_suspect() {
                self.list(1);
            }
        }
        Some(Stalled { how: how?, pid })
    }
}

/// Where we accepted a connection, and where it came from.
pub(crate) type Ends = (SocketAddr, SocketAddr);

/// A tunnel that has stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stalled {
    pub(crate) how: Stall,
    /// Who waits, where that was asked.
    pid: Option<i32>,
}

impl Stalled {
    /// Waits until it is known whether anybody should be told of it.
    pub(crate) async fn is_worth_telling(self) -> bool {
        let (Stall::Stopped, Some(pid)) = (self.how, self.pid) else { return true };
        sleep(LAST_WORDS).await;
        process::program(pid).is_none()
    }
}

/// Asks the system for both ends of a client's connection.
pub(crate) fn ends(client: &TcpStream) -> Option<Ends> {
    Some((client.local_addr().ok()?, client.peer_addr().ok()?))
}

/// The tunnels that have moved bytes and may stall.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    list: Mutex<List>,
    holders: Holders,
}

/// Who holds sockets. The question looks through all processes, so that it is asked for all tunnels that
/// fell silent together: a browser has hundreds.
#[derive(Debug, Default)]
struct Holders {
    wanted: Mutex<BTreeSet<u32>>,
    /// Held by whoever asks; the last answer.
    known: Turn<BTreeMap<u32, i32>>,
}

impl Holders {
    async fn of(&self, (local, remote): Ends) -> Option<i32> {
        let inode = Registry::default().socket(local, remote)?.inode;
        let wanted = || self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted().insert(inode);
        // In the order in which they came: nobody's answer is overwritten before it is read.
        let mut known = self.known.lock().await;
        if wanted().contains(&inode) {
            let wanted = mem::take(&mut *wanted());
            *known = spawn_blocking(move || owner::of(&wanted)).await.ok()?;
        }
        known.get(&inode).copied()
    }
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
    /// Returns the number of a client's process, where it would wait for ever.
    pub(crate) async fn patient(&self, ends: Option<Ends>) -> Option<i32> {
        let pid = self.holders.of(ends?).await?;
        stall::waits_for_ever(&process::program(pid)?).then_some(pid)
    }

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
        if freight.seen().is_suspect() {
            freight.is_due();
            return false;
        }
        true
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;

    use tokio::{
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    use super::{Holders, ends};

    #[tokio::test]
    async fn everybody_who_asks_at_a_time_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (holders, mut asked) = (Arc::new(Holders::default()), JoinSet::new());
        for _ in 0..50 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            let holders = Arc::clone(&holders);
            asked.spawn(async move {
                let holder = holders.of(ends(&accepted).unwrap()).await;
                drop((client, accepted));
                holder
            });
        }
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(asked.join_all().await, vec![Some(own); 50]);
        assert!(holders.wanted.lock().unwrap().is_empty());
    }
}
