//! Connections that wait for the next question: at most so many for a server, not for long, and none
//! that the network has changed under.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::sleep_until};

use super::reach::{Line, Server};

/// How long one waits (resilience-security.md §4; servers close after 60 to 75 s).
const IDLE: Duration = Duration::from_secs(60);
/// How long one is used: a server behind a name that moves is left at last.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How many wait for one server,
const MOST: usize = 8;
/// and how many within a burst: what is closed between two questions of many clients is made again, with
/// its TLS.
const BURST: usize = 64;
/// Whoever has not been used for so long is not part of one.
const LULL: Duration = Duration::from_secs(1);

/// The connections.
#[derive(Default)]
pub(super) struct Kept {
    inner: Mutex<Inner>,
    /// Told when there are more than [`MOST`].
    crowded: Notify,
}

#[derive(Default)]
struct Inner {
    /// The freshest last.
    idle: HashMap<Server, Vec<Idle>>,
    /// Whether somebody waits to throw out the oldest.
    watched: bool,
    /// Whether there are more than [`MOST`] for a server.
    is_crowded: bool,
    /// Counts the changes of the network.
    era: u64,
}

struct Idle {
    line: Line,
    since: Instant,
}

impl Kept {
    /// Takes the freshest connection to a server that is still open.
    pub(super) fn take(&self, server: &Server) -> Option<Line> {
        let mut inner = self.lock();
        let waiting = inner.idle.get_mut(server)?;
        while let Some(Idle { mut line, since }) = waiting.pop() {
            let is_young = since.elapsed() < IDLE && line.born.elapsed() < LIFETIME;
            if is_young && line.wire.is_silent() {
                line.is_fresh = false;
                return Some(line);
            }
        }
        None
    }

    /// Keeps one whose last answer is complete.
    pub(super) fn put(self: &Arc<Self>, server: &Server, line: Line) {
        let mut inner = self.lock();
        if line.era != inner.era || line.born.elapsed() >= LIFETIME {
            return;
        }
        let idle = Idle { line, since: Instant::now() };
        let count = match inner.idle.get_mut(server) {
            Some(waiting) if waiting.len() >= BURST => return,
            Some(waiting) => {
                waiting.push(idle);
                waiting.len()
            }
            None => {
                inner.idle.insert(server.clone(), vec![idle]);
                1
            }
        };
        if count > MOST && !std::mem::replace(&mut inner.is_crowded, true) {
            self.crowded.notify_one();
        }
        if !std::mem::replace(&mut inner.watched, true) {
            tokio::spawn(watch(Arc::clone(self)));
        }
    }

    /// Closes all that wait, and keeps none of those in use.
    pub(super) fn clear(&self) {
        let mut inner = self.lock();
        inner.idle.clear();
        inner.era += 1;
    }

    /// Returns what a new connection belongs to.
    pub(super) fn era(&self) -> u64 {
        self.lock().era
    }

    /// Returns how many wait for a server.
    pub(super) fn count(&self, server: &Server) -> usize {
        self.lock().idle.get(server).map_or(0, Vec::len)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that nobody used, until there are none; nothing wakes while there are none.
async fn watch(kept: Arc<Kept>) {
    loop {
        let Some(next) = kept.lock().prune(Instant::now()) else { return };
        tokio::select! {
            () = sleep_until(next.into()) => {}
            () = kept.crowded.notified() => {}
        }
    }
}

impl Inner {
    /// Closes what has waited for too long; returns when to look again. `None`: there are none.
    fn prune(&mut self, now: Instant) -> Option<Instant> {
        self.is_crowded = false;
        let mut next = None;
        for waiting in self.idle.values_mut() {
            let mut excess = waiting.len().saturating_sub(MOST);
            // The oldest come first.
            waiting.retain(|idle| {
                let limit = if excess > 0 { LULL } else { IDLE };
                let is_over = now.saturating_duration_since(idle.since) >= limit;
                excess -= usize::from(is_over && excess > 0);
                !is_over
            });
            let limit = if waiting.len() > MOST { LULL } else { IDLE };
            self.is_crowded |= waiting.len() > MOST;
            let due = waiting.first().map(|oldest| oldest.since + limit);
            next = next.into_iter().chain(due).min();
        }
        self.idle.retain(|_, waiting| !waiting.is_empty());
        self.watched = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::{BURST, IDLE, Idle, Instant, Kept, LULL, MOST};
    use crate::{
        core::origin::Origin,
        net::wire::Wire,
        proxy::goproxy::reach::{Line, Server},
    };

    fn server(url: &str) -> Server {
        Server::new(&Origin::from_url(url).unwrap().0).unwrap()
    }

    #[tokio::test]
    async fn a_burst_ends_and_what_was_closed_is_not_given_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (kept, to, other) =
            (Arc::new(Kept::default()), server("https://a.test"), server("http://a.test"));
        let mut far = Vec::new();
        for _ in 0..=BURST {
            let line = Line::new(Wire::new(TcpStream::connect(address).await.unwrap()), kept.era());
            far.push(listener.accept().await.unwrap());
            kept.put(&to, line);
        }
        assert_eq!((kept.count(&to), kept.count(&other)), (BURST, 0));
        assert!(kept.take(&other).is_none());
        let line = kept.take(&to).unwrap();
        assert!(!line.is_fresh);
        kept.put(&to, line);
        let begun = Instant::now();
        while kept.count(&to) > MOST {
            assert!(begun.elapsed() < LULL * 10);
            tokio::time::sleep(LULL / 10).await;
        }
        assert!(begun.elapsed() >= LULL / 2 && kept.count(&to) == MOST);
        far.clear();
        // The end of a connection is noticed where it is looked for.
        tokio::task::yield_now().await;
        let mut gone = 0;
        while kept.take(&to).is_some() {
            gone += 1;
            assert!(gone < MOST, "none was closed");
        }
        assert_eq!(kept.count(&to), 0);
    }

    #[tokio::test]
    async fn they_end_with_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (kept, to) = (Kept::default(), server("https://a.test"));
        let since = Instant::now();
        let idle = Idle { line: Line::new(Wire::new(stream), 0), since };
        let mut inner = kept.lock();
        inner.idle.insert(to, vec![idle]);
        assert_eq!(inner.prune(since + LULL), Some(since + IDLE));
        assert_eq!(inner.prune(since + IDLE), None);
        assert!(inner.idle.is_empty());
    }

    #[tokio::test]
    async fn none_outlives_its_network() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap());
        let (kept, to) = (Arc::new(Kept::default()), server("https://a.test"));
        let (idle, used) = (connect().await.unwrap(), connect().await.unwrap());
        let used = Line::new(Wire::new(used), kept.era());
        kept.put(&to, Line::new(Wire::new(idle), kept.era()));
        kept.clear();
        kept.put(&to, used);
        assert_eq!(kept.count(&to), 0);
    }
}
