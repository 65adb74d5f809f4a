//! The front: a module proxy on loopback, for go, in front of others.
//!
//! It walks a list as go would, asks each upstream with its own credential and through the corporate
//! proxy where the rules say so, ends what go would wait for without end, and says in go's own error
//! what is wrong. It stores no module and changes none: what go verifies, go verifies.

mod ask;
mod body;
mod credentials;
mod failure;
mod fetch;
mod guard;
mod kept;
mod listen;
mod reach;
mod reply;
mod report;
mod served;
mod session;
mod transfers;
mod upstream;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, time::timeout};

pub use self::report::{FrontOutcomes, FrontReport, FrontTotals, FrontUpstream, Transfer};
use self::{
    credentials::Credentials, kept::Kept, reach::Trust, served::Outcomes, transfers::Transfers,
    upstream::Upstream,
};
use crate::{
    core::{
        credential::UnixTime,
        modproxy::{
            list::{Base, Next, Target, Upstreams},
            retry::Budget,
        },
        origin::Origin,
        secret::{ExposeSecret, SecretString},
    },
    proxy::{
        Callers, GRACE, Proxy, Shared, Trouble, hex,
        status::{Meter, Teller},
    },
};

/// What the front is told, and may be told anew.
#[derive(Clone)]
pub struct Settings {
    /// Whom to ask.
    pub list: Upstreams,
    /// How long things may take.
    pub limits: Limits,
    /// Where credentials come from.
    pub secrets: Arc<dyn Secrets>,
    /// Files with further certificate authorities; those of a host stand in the proxy's configuration.
    pub roots: Vec<PathBuf>,
}

/// The front.
#[derive(Clone)]
pub struct Front(pub(super) Arc<Inner>);

impl Front {
    /// Prepares a front of a proxy, whose way out it uses, and with which it stops. A proxy reports one.
    pub fn new(proxy: &Proxy, settings: Settings) -> Self {
        let shared = Arc::clone(&proxy.0);
        // As random as the proxy's own token, which it says nothing about.
        let key = shared.secret.expose_secret().as_bytes();
        let random = hmac_sha256::HMAC::mac(b"the path of GOPROXY", key);
        let random = random.get(..24).unwrap_or(&random);
        let tell =
            Teller { meter: Arc::new(Meter::default()), voice: Arc::clone(&shared.tell.voice) };
        let front = Arc::new(Inner {
            plan: RwLock::new(Arc::new(Plan::new(settings, &[]))),
            secret: format!("/s-{}", hex(random)).into(),
            listening: Mutex::default(),
            kept: Arc::default(),
            credentials: Credentials::default(),
            transfers: Arc::default(),
            budget: Mutex::new(Budget::new(Instant::now())),
            totals: Totals::default(),
            tell,
            shared,
        });
        let _ = front.shared.front.set(Arc::downgrade(&front));
        Self(front)
    }

    /// Serves until the proxy is stopped, then lets answers under way end for at most [`GRACE`].
    pub async fn serve(&self, listeners: Vec<TcpListener>) {
        listen::run(&self.0, listeners).await;
        let _ = timeout(GRACE, self.0.shared.crowd.emptied()).await;
    }

    /// Goes on by other settings, and by what is stored now. Answers under way end by the old ones.
    pub fn reload(&self, settings: Settings) {
        let before = self.0.plan();
        let plan = Plan::new(settings, &before.upstreams);
        *self.0.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
        self.0.credentials.doubt();
        // Certificates and ways may be new.
        self.0.kept.clear();
    }

    /// Returns what it did and does.
    pub fn report(&self) -> FrontReport {
        self.0.report()
    }

    /// Returns what stands in GOPROXY for one of its listeners: with a secret in the path where the
    /// system cannot tell who asks.
    pub fn url(&self, address: SocketAddr) -> String {
        match self.0.shared.callers {
            Callers::Uid => format!("http://{address}"),
            Callers::Token => format!("http://{address}{}", self.0.secret.expose_secret()),
        }
    }
}

/// A running front, as its connections see it.
pub(crate) struct Inner {
    shared: Arc<Shared>,
    plan: RwLock<Arc<Plan>>,
    /// What the path begins with where nobody knows who asks: `/s-…`.
    secret: SecretString,
    listening: Mutex<Vec<SocketAddr>>,
    kept: Arc<Kept>,
    credentials: Credentials,
    transfers: Arc<Transfers>,
    budget: Mutex<Budget>,
    totals: Totals,
    /// What is told, and kept of it.
    tell: Teller,
}

/// What it goes by.
struct Plan {
    settings: Settings,
    /// The module proxies of the list, in order.
    upstreams: Vec<Arc<Upstream>>,
    trust: Trust,
}

impl Plan {
    /// What is known of an upstream outlives a reload that leaves its URL alone.
    fn new(settings: Settings, before: &[Arc<Upstream>]) -> Self {
        let known = |base: &Base| before.iter().find(|upstream| upstream.base == *base).cloned();
        let make = |base: &Base| known(base).or_else(|| Upstream::new(base).map(Arc::new));
        let upstreams = settings.list.proxies().filter_map(make).collect();
        Self { settings, upstreams, trust: Trust::default() }
    }

    /// Returns whether go is to be told what comes behind an upstream, where that one fails.
    fn goes_on(&self, base: &Base) -> bool {
        let mut elements = self.settings.list.elements().iter();
        let is_it = |target: &Target| matches!(target, Target::Proxy(other) if other == base);
        let found = elements.find(|element| is_it(&element.target));
        found.is_some_and(|found| found.next == Next::OnError) && elements.next().is_some()
    }

    fn upstream(&self, base: &Base) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.base == *base)
    }
}

impl Inner {
    /// Returns the plan of this moment.
    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listens(&self, own: SocketAddr) {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).push(own);
    }

    fn is_stopping(&self) -> bool {
        *self.shared.stopping.borrow()
    }

    /// What was known of the ways is not true any more.
    pub(crate) fn network_changed(&self) {
        self.kept.clear();
        for upstream in &self.plan().upstreams {
            upstream.forget();
        }
    }

    /// Returns how often each code was told.
    pub(crate) fn codes(&self) -> BTreeMap<&'static str, u64> {
        self.tell.meter.codes()
    }

    pub(crate) fn report(&self) -> FrontReport {
        let plan = self.plan();
        let list = &plan.settings.list;
        let upstreams = list.proxies().map(|base| match plan.upstream(base) {
            Some(upstream) => self.report_on(upstream),
            None => FrontUpstream::named(&base.origin.to_string()),
        });
        let then = list.elements().last().and_then(|element| match element.target {
            Target::Direct => Some("direct".to_owned()),
            Target::Off => Some("off".to_owned()),
            Target::Proxy(_) => None,
        });
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        FrontReport {
            listen: listening.iter().map(ToString::to_string).collect(),
            upstreams: upstreams.collect(),
            then,
            totals: self.totals.report(),
            transfers: self.transfers.report(),
            findings: self.tell.meter.findings(),
        }
    }

    fn report_on(&self, upstream: &Upstream) -> FrontUpstream {
        let Base { origin, path } = &upstream.base;
        FrontUpstream {
            url: upstream.url(),
            health: upstream.health(),
            credential: self.credentials.standing(origin, path).to_owned(),
            answered: upstream.answered.load(Ordering::Relaxed),
            failed: upstream.failed.load(Ordering::Relaxed),
            kept: self.kept.count(&upstream.server) as u64,
        }
    }
}

/// The sums of a [`FrontReport`].
#[derive(Debug, Default)]
struct Totals {
    requests: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
    retries: AtomicU64,
    connections: AtomicU64,
    bytes: AtomicU64,
    outcomes: Outcomes,
}

impl Totals {
    fn report(&self) -> FrontTotals {
        let Self { requests, answered, refused, broken, retries, connections, bytes, outcomes } =
            self;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FrontTotals {
            requests: read(requests),
            answered: read(answered),
            refused: read(refused),
            broken: read(broken),
            retries: read(retries),
            connections: read(connections),
            bytes: read(bytes),
            outcomes: outcomes.report(),
        }
    }
}

/// Counts one more.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How long things may take, and how slow they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection, over all addresses of a host.
    pub connect: Duration,
    /// For a TLS handshake.
    pub tls: Duration,
    /// From the request, on a connection that is there, to the head of its answer.
    pub headers: Duration,
    /// Between two bytes of a body.
    pub idle: Duration,
    /// The fewest bytes a second, over a window.
    pub rate: u64,
    /// How long such a window is.
    pub window: Duration,
    /// For a request in all, as long as nothing has reached the client: go has no limit of its own.
    pub whole: Duration,
}

impl Default for Limits {
    /// resilience-security.md §4.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(12),
            tls: Duration::from_secs(8),
            headers: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            rate: 1024,
            window: Duration::from_secs(30),
            whole: Duration::from_secs(34),
        }
    }
}

/// Where credentials for module proxies, and for whom they redirect to, come from. Called on blocking
/// threads.
pub trait Secrets: Send + Sync {
    /// Returns what to show an origin, for a path of it. What a caller gets counts as released to it.
    fn given(&self, origin: &Origin, path: &str) -> Result<Option<Given>, Trouble>;

    /// Returns what is another number once something was stored or taken away. Called with each question,
    /// and does not block.
    fn era(&self) -> Option<u64> {
        None
    }

    /// Returns whether an origin has refused this for a path of it, in this run or an earlier one.
    fn is_rejected(&self, _origin: &Origin, _path: &str, _given: &Given) -> bool {
        false
    }

    /// Hears that an origin refused what was given for a path of it. Who fetched it somewhere fetches it
    /// anew with the next question. Returns whether [`is_rejected`](Self::is_rejected) says so from now on,
    /// until the user wants it tried again.
    fn refused(&self, _origin: &Origin, _path: &str, _given: &Given) -> bool {
        false
    }
}

/// What is shown to a server: one field.
#[derive(Clone, Debug)]
pub struct Given {
    /// The name of the field: `Authorization`, or the one that the host wants.
    pub name: String,
    /// Its whole value.
    pub value: SecretString,
    /// Whose it is, for messages; may be empty.
    pub user: String,
    /// When it was stored.
    pub stored: Option<UnixTime>,
    /// When it ends.
    pub expires: Option<UnixTime>,
}
