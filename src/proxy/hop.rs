//! From a target to a connection: the permission, and the ways, several at a time where one keeps us
//! waiting.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep_until},
};

use crate::{
    core::{
        address::Special,
        config::upstream_port,
        http1::Fields,
        pac::question::Question,
        refusal::Refusal,
        target::{Authority, Host},
    },
    net::{
        dial::{Veto, dial},
        handshake,
        wire::Wire,
    },
    proxy::{
        Shared, failure,
        metrics::Stage,
        route::{Way, Ways, ways},
        through,
        upstreams::Upstream,
    },
};

/// How long a way to the target may be looked for. Go gives up after 60 s.
pub(crate) const TOTAL: Duration = Duration::from_secs(45);
/// An upstream that has not answered for so long gets company from the next one.
const STAGGER: Duration = Duration::from_millis(250);

/// What the failure of a hop means for the ones behind it.
#[derive(Clone)]
pub(crate) enum Failed {
    /// The hop is out of order: the next one is tried.
    Hop(Refusal),
    /// The answer is final; another hop must not be used to get around it.
    Request(Refusal),
}

impl Failed {
    pub(crate) fn refusal(&mut self) -> &mut Refusal {
        match self {
            Self::Hop(refusal) | Self::Request(refusal) => refusal,
        }
    }

    /// Returns why, for people.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Hop(refusal) | Self::Request(refusal) => refusal.reason(),
        }
    }

    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Hop(refusal) | Self::Request(refusal) => refusal,
        }
    }
}

/// Judges a target before anything is asked or connected.
pub(crate) fn permitted(shared: &Shared, target: &Authority) -> Result<(), Refusal> {
    if target.host.is_metadata_name() {
        return Err(failure::forbidden(target, Special::Metadata.as_str()));
    }
    let Some(address) = target.host.known_address() else { return Ok(()) };
    if failure::is_own(&shared.own, SocketAddr::new(address, target.port)) {
        return Err(failure::own_listener(target));
    }
    match shared.plan().allow.refuses(address) {
        Some(special) => Err(failure::forbidden(target, special.as_str())),
        None => Ok(()),
    }
}

/// A tunnel that a client asks for.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) target: Authority,
    /// Every proxy on its way so far, and us: a value of `Via`. Each adds itself and drops nobody, or
    /// a ring of several is noticed by none of them (RFC 9110 §7.6.3).
    pub(crate) via: String,
    /// Who named the target.
    pub(crate) named: Named,
}

/// Who named a target, which decides where it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A client, or a server that redirects: it is judged.
    ByOthers,
    /// The user, in the configuration: it may be anywhere, on this machine too, but it is never us.
    ByUser,
}

impl Wish {
    pub(crate) fn new(shared: &Shared, target: Authority, fields: &Fields) -> Self {
        let before = fields.all("via").map(String::from_utf8_lossy);
        let via: Vec<_> = before.chain([shared.via.as_str().into()]).collect();
        Self { target, via: via.join(", "), named: Named::ByOthers }
    }
}

/// Opens a tunnel to a target.
pub(crate) async fn tunnel(shared: &Arc<Shared>, wish: &Wish) -> Result<Opened, Refusal> {
    let target = &wish.target;
    match wish.named {
        Named::ByOthers => permitted(shared, target)?,
        Named::ByUser => {}
    }
    let deadline = Instant::now() + TOTAL;
    let Ways { ways, probe } = ways(shared, target, || Question::tunnel(target)).await?;
    shared.metrics.took(Stage::Route, TOTAL.saturating_sub(deadline - Instant::now()));
    if let Some(upstream) = probe {
        let (shared, wish) = (Arc::clone(shared), wish.clone());
        // What it opens is closed again; what counts is whether it answers.
        tokio::spawn(
            async move { drop(through::tunnel(&shared, &upstream, &wish, deadline).await) },
        );
    }
    if let [way] = &*ways {
        return attempt(shared, way, wish, deadline).await.map_err(Failed::into_refusal);
    }
    let opened = race(shared, ways.into(), wish, deadline).await;
    opened.map_err(|last| last.unwrap_or_else(|| failure::too_late(target)))
}

/// A tunnel, and the way it goes.
pub(crate) type Opened = (Wire, Way);

/// Goes one way. Every step of it has a limit of its own; none begins after the deadline.
async fn attempt(
    shared: &Arc<Shared>,
    way: &Way,
    wish: &Wish,
    deadline: Instant,
) -> Result<Opened, Failed> {
    let wire = match way {
        Way::Direct => direct(shared, &wish.target, wish.named).await.map_err(Failed::Hop),
        Way::Through(upstream) => through::tunnel(shared, upstream, wish, deadline).await,
    };
    way.count(&shared.metrics, wire).map(|wire| (wire, way.clone()))
}

/// Tries the ways in turn, and the next one beside one that is silent. Nobody goes direct because a
/// proxy is slow: only because it is out of order.
///
/// Whatever the end is, attempts that are under way go on without us: a secret that has left is heard
/// out, and who answers late is known to answer.
async fn race(
    shared: &Arc<Shared>,
    waiting: VecDeque<Way>,
    wish: &Wish,
    deadline: Instant,
) -> Result<Opened, Option<Refusal>> {
    let mut race = Race { waiting, ..Race::default() };
    let ended = race.run(shared, wish, deadline).await;
    race.attempts.detach_all();
    ended
}

#[derive(Default)]
struct Race {
    waiting: VecDeque<Way>,
    attempts: JoinSet<(usize, Result<Opened, Failed>)>,
    /// By their numbers, which are those of their turns.
    under_way: Vec<(usize, Way)>,
    started: usize,
    /// Why the first hop that failed did.
    last: Option<Refusal>,
    /// A final answer that came before those of earlier hops, which still count more.
    verdict: Option<Refusal>,
}

impl Race {
    async fn run(
        &mut self,
        shared: &Arc<Shared>,
        wish: &Wish,
        deadline: Instant,
    ) -> Result<Opened, Option<Refusal>> {
        let mut is_due = true;
        loop {
            if std::mem::take(&mut is_due) && self.may_start() {
                self.start(shared, wish, deadline);
            }
            if self.attempts.is_empty() {
                return Err(self.refusal());
            }
            let may_join = self.may_start();
            let stagger = Instant::now() + STAGGER;
            let joined = tokio::select! {
                Some(joined) = self.attempts.join_next() => joined,
                () = sleep_until(stagger), if may_join => {
                    is_due = true;
                    continue;
                }
                () = sleep_until(deadline) => return Err(self.refusal()),
            };
            let Ok((own, result)) = joined else {
                return Err(Some(failure::bug("a hop panicked")));
            };
            self.under_way.retain(|(number, _)| *number != own);
            match result {
                Ok(opened) => {
                    self.overtake(own);
                    return Ok(opened);
                }
                Err(Failed::Request(refusal)) => {
                    self.waiting.clear();
                    if !self.under_way.iter().any(|(number, _)| *number < own) {
                        return Err(Some(refusal));
                    }
                    self.verdict = Some(refusal);
                }
                Err(Failed::Hop(refusal)) => {
                    self.last.get_or_insert(refusal);
                    is_due = true;
                }
            }
        }
    }

    /// Returns whether the next way may be tried beside those under way.
    fn may_start(&self) -> bool {
        match self.waiting.front() {
            Some(Way::Through(_)) => true,
            Some(Way::Direct) => self.attempts.is_empty(),
            None => false,
        }
    }

    fn start(&mut self, shared: &Arc<Shared>, wish: &Wish, deadline: Instant) {
        let Some(way) = self.waiting.pop_front() else { return };
        let own = self.started;
        self.started += 1;
        self.under_way.push((own, way.clone()));
        let (shared, wish) = (Arc::clone(shared), wish.clone());
        self.attempts.spawn(async move { (own, attempt(&shared, &way, &wish, deadline).await) });
    }

    fn refusal(&mut self) -> Option<Refusal> {
        self.verdict.take().or_else(|| self.last.take())
    }

    /// Those before have been overtaken: how they end decides how long they are avoided.
    fn overtake(&self, own: usize) {
        for (number, way) in &self.under_way {
            if let (true, Way::Through(upstream)) = (*number < own, way) {
                upstream.was_overtaken();
            }
        }
    }
}

/// Connects to the target itself. Every address it resolves to is judged.
pub(crate) async fn direct(
    shared: &Shared,
    target: &Authority,
    named: Named,
) -> Result<Wire, Refusal> {
    let plan = shared.plan();
    let veto = |address: SocketAddr| {
        if failure::is_own(&shared.own, address) {
            return Some(Veto::Own);
        }
        match named {
            Named::ByOthers => plan.allow.refuses(address.ip()).map(Veto::Special),
            Named::ByUser => None,
        }
    };
    let begun = Instant::now();
    let connected = dial(&target.host, target.port, veto).await;
    shared.metrics.took(Stage::Dial, begun.elapsed());
    connected.map_err(|error| failure::unreachable(target, &error))
}

/// Connects to an upstream, with TLS where its URL says so. It may be anywhere, on this machine too,
/// but it is never us.
pub(crate) async fn to_upstream(shared: &Shared, upstream: &Upstream) -> Result<Wire, Failed> {
    let origin = &upstream.origin;
    let veto = |address| failure::is_own(&shared.own, address).then_some(Veto::Own);
    let host =
        Host::parse(origin.host()).map_err(|error| Failed::Request(failure::target(error)))?;
    let port = upstream_port(origin).unwrap_or(80);
    let begun = Instant::now();
    let connected = dial(&host, port, veto).await;
    shared.metrics.took(Stage::Dial, begun.elapsed());
    let wire = connected.map_err(|error| {
        upstream.fails();
        Failed::Hop(failure::upstream_unreachable(origin, &error))
    })?;
    if origin.scheme() != "https" {
        return Ok(wire);
    }
    let client = shared.upstreams.tls(upstream).await;
    let client = client.map_err(|error| Failed::Request(failure::no_tls(origin, &error)))?;
    handshake::connect(wire, client, &host).await.map_err(|error| {
        let refusal = failure::upstream_tls(origin, &error);
        // Whoever shows another's certificate must not lead us to a proxy in clear behind it.
        if matches!(error, handshake::Error::Untrusted(_)) {
            return Failed::Request(refusal);
        }
        upstream.fails();
        Failed::Hop(refusal)
    })
}

#[cfg(test)]
mod tests {
    use super::{Race, Way};

    #[tokio::test]
    async fn nobody_goes_direct_while_an_upstream_is_under_way() {
        let mut race = Race::default();
        assert!(!race.may_start());
        race.waiting.push_back(Way::Direct);
        assert!(race.may_start());
        race.attempts.spawn(std::future::pending());
        assert!(!race.may_start());
    }
}
