//! Layer 4, towards the clients: the loopback proxy.
//!
//! It deliberately knows no store and no configuration file: [`Settings`] and a [`Vault`] are given.
//! One thread (tokio's `current_thread`) runs all of it: a proxy copies bytes, one core moves more
//! than a gigabyte a second, and what one thread owns needs no locks across a wait. Names are
//! resolved and stores are read on tokio's blocking threads.

mod accept;
mod access_log;
mod answer;
#[cfg(unix)]
pub mod control;
#[cfg(not(unix))]
#[path = "control_none.rs"]
pub mod control;
mod control_error;
mod crowd;
mod door;
mod ear;
mod failure;
mod forward;
pub mod goproxy;
mod holder;
mod hop;
pub mod inside;
mod kept;
mod login;
mod metrics;
mod page;
mod patience;
mod pool;
mod pump;
mod record;
mod retry;
mod route;
mod script;
mod session;
mod socks;
pub mod spare;
#[cfg(target_os = "linux")]
mod splice;
mod stall;
mod status;
mod through;
pub mod trial;
#[cfg(unix)]
mod turns;
mod upload;
mod upstreams;

use std::{
    future::pending,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

pub use self::{
    access_log::AccessLogReport,
    login::{Account, Trouble, Vault},
    script::Engine,
    status::{Finding, PacReport, Report, Totals, UpstreamReport},
};
use crate::{
    core::{
        address::Allow,
        auth,
        config::Config,
        secret::{ExposeSecret, SecretString},
        upstream::Rules,
    },
    net::{change::Changes, names},
    proxy::{
        access_log::AccessLog,
        crowd::Crowd,
        door::Keys,
        ear::Ear,
        metrics::Metrics,
        script::Script,
        stall::Watch,
        status::{Meter, Teller},
        upstreams::Upstreams,
    },
    sys::pipe,
};

/// How long open connections may go on after a stop was asked for.
pub const GRACE: Duration = Duration::from_secs(10);
/// Files that are not a client's: listeners, spare connections, name service, keyring.
const OWN_FILES: u64 = 64;

/// What the proxy is told, once.
pub struct Settings {
    /// What may change while it runs.
    pub plan: Plan,
    /// How a client shows that it may be served.
    pub callers: Callers,
    /// Where passwords come from.
    pub vault: Arc<dyn Vault>,
    /// Files with further certificate authorities, for upstreams that speak TLS.
    pub roots: Vec<PathBuf>,
    /// What runs PAC files.
    pub engine: Engine,
    /// Told each new finding, as one line. It must not wait: everybody would.
    pub voice: Box<dyn Fn(&str) + Send + Sync>,
}

/// What the proxy is told, and may be told anew.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The configuration, with the flags of the command line in it.
    config: Config,
    /// Which way requests go.
    rules: Rules,
    /// Targets that are served although they are refused by default.
    allow: Allow,
}

impl Plan {
    /// Reads the rules out of a configuration. The error is the number, from 1, of the element of
    /// `proxy.allow` that is neither an address nor a block.
    pub fn new(config: Config) -> Result<Self, usize> {
        let (upstream, no_proxy) = (config.proxy.upstream.clone(), config.proxy.no_proxy.clone());
        let allow = Allow::parse(&config.proxy.allow)?;
        Ok(Self { rules: Rules { upstream, no_proxy }, allow, config })
    }
}

/// How a client shows that it may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Its socket belongs to our own user; where the system cannot tell, it shows the token.
    Uid,
    /// It shows the token.
    Token,
}

/// A running proxy, as its connections see it.
pub(crate) struct Shared {
    plan: RwLock<Arc<Plan>>,
    callers: Callers,
    /// What is told, and counted.
    tell: Teller,
    metrics: Metrics,
    log: AccessLog,
    /// What opens our own pages.
    keys: Keys,
    /// Where we listen.
    own: Vec<SocketAddr>,
    /// Our entry in `Via`, random, so that a loop is noticed and nobody can pretend one.
    via: String,
    /// What a client without uid shows, and its form as the value of `Proxy-Authorization`.
    secret: SecretString,
    token: SecretString,
    upstreams: Upstreams,
    script: Script,
    crowd: Arc<Crowd>,
    /// What git hears.
    ear: Ear,
    /// Tunnels that may stall.
    watch: Arc<Watch>,
    /// The module proxy front, where there is one. It holds us.
    front: OnceLock<Weak<goproxy::Inner>>,
    stopping: watch::Sender<bool>,
}

/// The proxy.
#[derive(Clone)]
pub struct Proxy(Arc<Shared>);

impl Proxy {
    /// Prepares a proxy that will serve these listeners' addresses. The error is a system without
    /// randomness.
    pub fn new(settings: Settings, own: Vec<SocketAddr>, files: u64) -> io::Result<Self> {
        let Settings { plan, callers, vault, roots, engine, voice } = settings;
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (name, token) = random.split_at(8);
        let secret = SecretString::from(hex(token));
        let token = auth::basic("gocred", &secret);
        let tell = Teller { meter: Arc::new(Meter::default()), voice: Arc::from(voice) };
        let log = AccessLog::new(tell.clone());
        log.configure(plan.config.proxy.access_log.as_deref());
        let upstreams = Upstreams::new(vault, roots);
        upstreams.configure(&plan.config);
        let script = Script::new(engine);
        script.configure(plan.config.proxy.pac.as_ref());
        // Two sockets a client. Nothing else limits how many there are.
        let clients = files.saturating_sub(OWN_FILES + pipe::FILES) / 2;
        let clients = usize::try_from(clients).unwrap_or(usize::MAX).max(1);
        Ok(Self(Arc::new(Shared {
            plan: RwLock::new(Arc::new(plan)),
            callers,
            tell,
            metrics: Metrics::default(),
            log,
            keys: Keys::new()?,
            own,
            via: format!("1.1 gocred-{}", hex(name)),
            secret,
            token,
            upstreams,
            script,
            crowd: Crowd::new(clients),
            ear: Ear::default(),
            watch: Arc::default(),
            front: OnceLock::new(),
            stopping: watch::Sender::new(false),
        })))
    }

    /// Goes on by another plan. Requests under way, and tunnels, end by the old one. Needs a tokio
    /// runtime.
    pub fn reload(&self, plan: Plan) {
        self.0.log.configure(plan.config.proxy.access_log.as_deref());
        self.0.upstreams.configure(&plan.config);
        self.0.script.configure(plan.config.proxy.pac.as_ref());
        *self.0.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
        Script::load(&self.0);
    }

    /// Serves until [`Self::stop`], then lets open connections end for at most [`GRACE`].
    pub async fn serve(&self, listeners: Vec<TcpListener>) {
        let _kept = spare::keep_thread();
        Script::load(&self.0);
        let mut doors = JoinSet::new();
        for listener in listeners {
            let shared = Arc::clone(&self.0);
            let serve =
                move |client, seat, caller| session::run(Arc::clone(&shared), client, seat, caller);
            doors.spawn(accept::run(Arc::clone(&self.0), listener, serve));
        }
        let changes = self.0.follow_network();
        tokio::pin!(changes);
        loop {
            tokio::select! {
                ended = doors.join_next() => if ended.is_none() { break },
                () = &mut changes => {}
            }
        }
        let _ = timeout(GRACE, self.0.crowd.emptied()).await;
    }

    /// Asks it to stop: no new connections, and idle ones are closed.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Returns what it did and does.
    pub fn report(&self) -> Report {
        status::report(&self.0)
    }

    /// Returns the token of our own pages.
    pub fn status_token(&self) -> &SecretString {
        &self.0.keys.token
    }

    /// Returns the URL of the status page, with its token.
    pub fn page_url(&self) -> String {
        let Some(address) = self.0.own.first() else { return String::new() };
        format!("http://{address}/?token={}", self.0.keys.token.expose_secret())
    }

    /// Returns the value of `Proxy-Authorization` that a client without a uid must show.
    pub fn token(&self) -> &SecretString {
        &self.0.token
    }
}

impl Shared {
    /// Returns the plan of this moment.
    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets what was known of the ways whenever the network changes; never ends.
    async fn follow_network(self: &Arc<Self>) {
        let Ok(mut changes) = Changes::new() else { return pending().await };
        loop {
            changes.next().await;
            self.upstreams.forget();
            names::forget();
            Script::network_changed(self);
            if let Some(front) = self.front() {
                front.network_changed();
            }
        }
    }

    /// Returns the module proxy front, where there is one.
    fn front(&self) -> Option<Arc<goproxy::Inner>> {
        self.front.get()?.upgrade()
    }

    /// Waits until a stop is asked for.
    async fn stop_asked(&self) {
        // The sender lives as long as we do.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }
}

fn digit(nibble: u8) -> Option<char> {
    char::from_digit(u32::from(nibble), 16)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(digit).collect()
}
