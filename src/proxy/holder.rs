//! Who is at the client's end of a connection, and how it is told what the connection cannot carry.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use tokio::{net::TcpStream, sync::Mutex as Turn, task::spawn_blocking};

use crate::{
    core::{http1::Fields, refusal::Refusal, stall},
    net::wire::Wire,
    sys::{owner, peer::Registry, process, stderr::Stderr},
};

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
}

impl Holder {
    /// Opens its standard error, where that is a terminal or a pipe.
    pub(crate) fn stderr(self) -> Option<Stderr> {
        Stderr::of(self.pid, self.inode)
    }
}

/// Who holds sockets. The question looks through all processes, so that it is asked for all tunnels that
/// fell silent together: a browser has hundreds.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    wanted: Mutex<BTreeSet<u32>>,
    /// Held by whoever asks; the last answer.
    known: Turn<BTreeMap<u32, i32>>,
}

impl Holders {
    async fn of(&self, (local, remote): Ends) -> Option<Holder> {
        let inode = Registry::default().socket(local, remote)?.inode;
        let wanted = || self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted().insert(inode);
        // In the order in which they came: nobody's answer is overwritten before it is read.
        let mut known = self.known.lock().await;
        if wanted().contains(&inode) {
            let wanted = mem::take(&mut *wanted());
            *known = spawn_blocking(move || owner::of(&wanted)).await.ok()?;
        }
        known.get(&inode).map(|pid| Holder { pid: *pid, inode })
    }

    /// Returns a client, where it would wait for ever.
    pub(crate) async fn patient(&self, ends: Option<Ends>) -> Option<Holder> {
        let holder = self.of(ends?).await?;
        stall::waits_for_ever(&process::program(holder.pid)?).then_some(holder)
    }

    /// Tells a git or a curl why it gets no tunnel: libcurl shows nothing of the answer but its status. What asks
    /// for a login git's helper tells ([`ear`](crate::proxy::ear)), and go prints the reason phrase.
    pub(crate) async fn tell(&self, client: &Wire, fields: &Fields, refusal: &Refusal) {
        let is_libcurl = |agent: &[u8]| agent.starts_with(b"git/") || agent.starts_with(b"curl/");
        if refusal.status == 407 || !fields.all("user-agent").any(is_libcurl) {
            return;
        }
        self.say(client.tcp().and_then(ends), refusal).await;
    }

    /// Tells a client that would wait for ever what its connection cannot carry any more.
    pub(crate) async fn say(&self, ends: Option<Ends>, finding: &Refusal) {
        if let Some(stderr) = self.stderr(ends).await {
            stderr.say(&finding.line());
        }
    }

    /// Opens the standard error of a client that would wait for ever.
    pub(crate) async fn stderr(&self, ends: Option<Ends>) -> Option<Stderr> {
        self.patient(ends).await.and_then(Holder::stderr)
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
                holder.map(|holder| holder.pid)
            });
        }
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(asked.join_all().await, vec![Some(own); 50]);
        assert!(holders.wanted.lock().unwrap().is_empty());
    }
}
