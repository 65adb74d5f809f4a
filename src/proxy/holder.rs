//! Who is at the client's end of a connection, and how it is told what the connection cannot carry.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    net::TcpStream,
    sync::{Mutex as Turn, oneshot},
    task::spawn_blocking,
    time::{Duration, Instant, sleep, timeout},
};

use crate::{
    core::{http1::Fields, refusal::Refusal, stall},
    net::wire::Wire,
    sys::{owner, peer::Registry, process, stderr::Stderr},
};

/// How long a program that ends over something may take for it, and how often it is looked at.
const LAST_WORDS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(20));
/// How long a standard error may take to be opened.
const SOON: Duration = Duration::from_millis(250);
/// So many refusals are told in a second: to find out whose a connection is takes milliseconds, and a program that
/// asks again and again is refused as often.
const MOST_TOLD: u32 = 8;
/// So many standard errors may keep a thread waiting at a time.
const MOST_THREADS: usize = 8;
/// So many lines are remembered, so that none is said twice to a process.
const MOST_SAID: usize = 64;

/// Where we accepted a connection, and where it came from.
pub(crate) type Ends = (SocketAddr, SocketAddr);

/// Asks the system for both ends of a client's connection.
pub(crate) fn ends(client: &TcpStream) -> Option<Ends> {
    Some((client.local_addr().ok()?, client.peer_addr().ok()?))
}

/// A process at the client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    inode: u32,
    /// Whether it is go, which gives up handshakes, and waits for compilers and tests.
    pub(crate) is_go: bool,
}

impl Holder {
    /// Opens its standard error, if that can be done soon: a file may lie at the end of a network.
    pub(crate) async fn stderr(self) -> Option<Stderr> {
        let (send, opened) = oneshot::channel();
        aside(move || {
            let _ = send.send(Stderr::of(self.pid, self.inode));
        });
        timeout(SOON, opened).await.ok()?.ok()?
    }

    /// Returns whether it is there.
    pub(crate) fn is_alive(self) -> bool {
        process::program(self.pid).is_some()
    }

    /// Waits until it has ended; `false`: it does not, over what has just happened.
    pub(crate) async fn ends(self) -> bool {
        let end = Instant::now() + LAST_WORDS.0;
        while self.is_alive() {
            if Instant::now() >= end {
                return false;
            }
            sleep(LAST_WORDS.1).await;
        }
        true
    }
}

/// Does what may take for ever on a thread that nobody waits for, while there are not many of them.
fn aside(work: impl FnOnce() + Send + 'static) {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    if THREADS.fetch_add(1, Ordering::Relaxed) >= MOST_THREADS {
        THREADS.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let work = || {
        work();
        THREADS.fetch_sub(1, Ordering::Relaxed);
    };
    if thread::Builder::new().name("stderr".to_owned()).spawn(work).is_err() {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who holds sockets. The question looks through all processes, so that it is asked for all tunnels that
/// fell silent together: a browser has hundreds.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    wanted: Mutex<BTreeSet<u32>>,
    /// Held by whoever asks; the last answer.
    known: Turn<BTreeMap<u32, i32>>,
    /// What was said to whom: a program with many connections needs to hear it once.
    said: Mutex<VecDeque<(i32, String)>>,
    /// How many refusals were told since when.
    told: Mutex<Option<(Instant, u32)>>,
}

impl Holders {
    /// Returns who holds the client's end.
    async fn of(&self, (local, remote): Ends) -> Option<(i32, u32)> {
        let inode = Registry::default().socket(local, remote)?.inode;
        let wanted = || self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted().insert(inode);
        // In the order in which they came: nobody's answer is overwritten before it is read.
        let mut known = self.known.lock().await;
        if wanted().contains(&inode) {
            let wanted = mem::take(&mut *wanted());
            *known = spawn_blocking(move || owner::of(&wanted)).await.ok()?;
        }
        known.get(&inode).map(|pid| (*pid, inode))
    }

    /// Returns a client, where it would wait for ever.
    pub(crate) async fn patient(&self, ends: Option<Ends>) -> Option<Holder> {
        let (pid, inode) = self.of(ends?).await?;
        let program = process::program(pid)?;
        let is_go = stall::is_go(&program);
        stall::waits_for_ever(&program).then_some(Holder { pid, inode, is_go })
    }

    /// Tells a git or a curl why it gets no tunnel: libcurl shows nothing of the answer but its status. What asks
    /// for a login git's helper tells ([`ear`](crate::proxy::ear)), and go prints the reason phrase.
    pub(crate) async fn refused(&self, client: &Wire, fields: &Fields, refusal: &Refusal) {
        let is_libcurl = |agent: &[u8]| agent.starts_with(b"git/") || agent.starts_with(b"curl/");
        let needs_none = refusal.status == 407 || !fields.all("user-agent").any(is_libcurl);
        if needs_none || self.is_busy(Instant::now()) {
            return;
        }
        self.tell(client.tcp().and_then(ends), refusal).await;
    }

    /// Tells a client that would wait for ever what its connection cannot carry any more, before it ends.
    pub(crate) async fn tell(&self, ends: Option<Ends>, finding: &Refusal) {
        let Some(client) = self.patient(ends).await else { return };
        if let Some(stderr) = client.stderr().await {
            self.say(client, stderr, finding).await;
        }
    }

    /// Says a line, and waits for that if it does not take long.
    pub(crate) async fn say(&self, client: Holder, stderr: Stderr, finding: &Refusal) {
        let line = finding.line();
        if self.is_known(client.pid, &line) {
            return;
        }
        let (send, said) = oneshot::channel();
        aside(move || {
            stderr.say(&line);
            drop(stderr);
            let _ = send.send(());
        });
        let _ = timeout(SOON, said).await;
    }

    /// Counts one more, and returns whether that is too many.
    fn is_busy(&self, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |(since, _): &(Instant, u32)| now < *since + Duration::from_secs(1);
        let (since, count) = told.filter(is_fresh).unwrap_or((now, 0));
        *told = Some((since, count + 1));
        count >= MOST_TOLD
    }

    /// Returns whether a process has been told this, and remembers that it is.
    fn is_known(&self, pid: i32, line: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.iter().any(|(other, told)| *other == pid && told == line) {
            return true;
        }
        if said.len() >= MOST_SAID {
            said.pop_front();
        }
        said.push_back((pid, line.to_owned()));
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;

    use tokio::{
        net::{TcpListener, TcpStream},
        task::JoinSet,
        time::{Duration, Instant},
    };

    use super::{Holders, ends};

    #[test]
    fn a_flood_of_refusals_is_told_in_part() {
        let (holders, start) = (Holders::default(), Instant::now());
        for second in 0..2 {
            let now = start + Duration::from_secs(second);
            assert_eq!((0..20).filter(|_| holders.is_busy(now)).count(), 12);
        }
    }

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
                holder.map(|(pid, _)| pid)
            });
        }
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(asked.join_all().await, vec![Some(own); 50]);
        assert!(holders.wanted.lock().unwrap().is_empty());
    }
}
