//! What is under way, for `gocred proxy top`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{report::Transfer, upstream::Upstream};
use crate::core::modproxy::request::Request;

/// Everything that is under way.
#[derive(Default)]
pub(super) struct Transfers {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

/// One request under way.
pub(super) struct Entry {
    begun: Instant,
    who: Arc<str>,
    what: Request,
    stage: AtomicU8,
    bytes: AtomicU64,
    /// Bytes that the client took.
    sent: AtomicU64,
    /// How many bytes there will be; 0 is unknown.
    total: AtomicU64,
    upstream: Mutex<Option<Arc<Upstream>>>,
    /// The server that the upstream has redirected to.
    elsewhere: OnceLock<String>,
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// For a credential, or for another to find out whether it is good.
    Waiting,
    Connecting,
    /// For the head of the answer.
    Asking,
    Receiving,
    /// For the next attempt.
    Retrying,
}

impl Stage {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Waiting, "waiting"),
        (Self::Connecting, "connecting"),
        (Self::Asking, "asking"),
        (Self::Receiving, "receiving"),
        (Self::Retrying, "retrying"),
    ];

    fn name(number: u8) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage as u8 == number).map_or("", |(_, name)| name)
    }
}

impl Transfers {
    /// Notes the beginning of one, which ends when the value is dropped.
    pub(super) fn begin(self: &Arc<Self>, who: Arc<str>, what: Request) -> Open {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            begun: Instant::now(),
            who,
            what,
            stage: AtomicU8::new(Stage::Waiting as u8),
            bytes: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            total: AtomicU64::new(0),
            upstream: Mutex::default(),
            elsewhere: OnceLock::new(),
        });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(id, Arc::clone(&entry));
        Open { id, entry, all: Arc::clone(self) }
    }

    /// Returns all of them, oldest first.
    pub(super) fn report(&self) -> Vec<Transfer> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().map(|(id, entry)| entry.report(*id)).collect()
    }
}

/// One that is open.
pub(super) struct Open {
    id: u64,
    pub(super) entry: Arc<Entry>,
    all: Arc<Transfers>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.all.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Entry {
    pub(super) fn what(&self) -> &Request {
        &self.what
    }

    pub(super) fn stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Notes whom it asks now.
    pub(super) fn asks(&self, upstream: &Arc<Upstream>) {
        let mut asked = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = Some(Arc::clone(upstream));
    }

    /// Notes that it was sent to another server.
    pub(super) fn goes_elsewhere(&self, server: String) {
        let _ = self.elsewhere.set(server);
    }

    /// Notes how long the body will be.
    pub(super) fn expects(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Counts bytes of the body; returns how many there were.
    pub(super) fn received(&self, bytes: usize) -> u64 {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
    }

    /// Counts bytes that the client took.
    pub(super) fn passed_on(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns how many the client took.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the URL of whom it asks, or asked last.
    pub(super) fn upstream(&self) -> Option<String> {
        let asked = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        asked.as_ref().map(|upstream| upstream.url())
    }

    /// The body begins anew.
    pub(super) fn starts_over(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    fn report(&self, id: u64) -> Transfer {
        let total = self.total.load(Ordering::Relaxed);
        let upstream = self.upstream().unwrap_or_default();
        Transfer {
            id,
            who: self.who.to_string(),
            what: self.what.path().trim_start_matches('/').to_owned(),
            upstream: match self.elsewhere.get() {
                Some(server) => format!("{upstream} at {server}"),
                None => upstream,
            },
            stage: Stage::name(self.stage.load(Ordering::Relaxed)).to_owned(),
            bytes: self.bytes.load(Ordering::Relaxed),
            total: (total > 0).then_some(total),
            millis: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
