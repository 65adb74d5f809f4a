//! A connection to a server: by the ways of the proxy (direct, or a tunnel through the corporate
//! proxy, with all its schemes), and TLS in it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::{Instant, timeout, timeout_at};

use super::{Inner, Limits, count, failure};
use crate::{
    core::{
        config::Config,
        origin::Origin,
        refusal::Refusal,
        target::{Authority, Host},
    },
    net::{
        handshake,
        tls::{self, Client, UpstreamTls},
        wire::Wire,
    },
    proxy::{
        Shared,
        hop::{self, Named, Wish},
    },
};

/// Whom a connection is with: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) is_secure: bool,
    pub(super) authority: Authority,
}

impl Server {
    /// Reads an origin. `None`: its host is no name, or its scheme none that is spoken.
    pub(super) fn new(origin: &Origin) -> Option<Self> {
        let (is_secure, usual) = match origin.scheme() {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return None,
        };
        let host = Host::parse(origin.host()).ok()?;
        let port = origin.port().unwrap_or(usual);
        Some(Self { is_secure, authority: Authority { host, port } })
    }
}

/// A connection to a server.
pub(super) struct Line {
    pub(super) wire: Wire,
    pub(super) born: std::time::Instant,
    /// Whether no question was put on it yet.
    pub(super) is_fresh: bool,
    /// The network that it was made in.
    pub(super) era: u64,
}

impl Line {
    pub(super) fn new(wire: Wire, era: u64) -> Self {
        Self { wire, born: std::time::Instant::now(), is_fresh: true, era }
    }
}

/// How TLS is spoken, by the files that a host has of its own.
#[derive(Default)]
pub(super) struct Trust(Mutex<HashMap<Files, Client>>);

/// The files that the configuration has for one host. Those of another are never used for it, wherever
/// it was redirected from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Files {
    ca: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

impl Files {
    fn of(origin: &Origin, config: &Config) -> Self {
        let Some(host) = config.host(origin) else { return Self::default() };
        Self {
            ca: host.ca.clone().map(PathBuf::from),
            client_cert: host.client_cert.clone(),
            client_key: host.client_key.clone(),
        }
    }
}

impl Trust {
    /// Returns how TLS is spoken with a host. Files are read on first use.
    async fn client(&self, roots: &[PathBuf], files: Files) -> Result<Client, tls::Error> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&files) {
            return Ok(known.clone());
        }
        let mut roots = roots.to_vec();
        roots.extend(files.ca.clone());
        let own = files.clone();
        let read = tokio::task::spawn_blocking(move || {
            let Files { ca: _, client_cert, client_key } = &own;
            let (client_cert, client_key) = (client_cert.as_deref(), client_key.as_deref());
            tls::upstream(UpstreamTls { roots: &roots, client_cert, client_key })
        });
        let client =
            read.await.unwrap_or_else(|error| Err(tls::Error::Setup(error.to_string())))?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever came first: its sessions are there to be resumed.
        Ok(known.entry(files).or_insert(client).clone())
    }
}

/// Where a question goes.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    pub(super) origin: &'a Origin,
    pub(super) server: &'a Server,
    pub(super) named: Named,
}

/// Connects. Nothing takes longer than until the deadline.
pub(super) async fn connect(front: &Inner, to: To<'_>, deadline: Instant) -> Result<Line, Refusal> {
    let era = front.kept.era();
    let plan = front.plan();
    let limits = &plan.settings.limits;
    let wire = tunnel(&front.shared, to, limits, deadline).await?;
    count(&front.totals.connections);
    if !to.server.is_secure {
        return Ok(Line::new(wire, era));
    }
    let config = front.shared.plan();
    let files = Files::of(to.origin, &config.config);
    let client = plan.trust.client(&plan.settings.roots, files).await;
    let client = client.map_err(|error| failure::no_tls(to.origin, &error))?;
    let handshake = handshake::connect(wire, &client, &to.server.authority.host);
    let limit = limits.tls.min(deadline.saturating_duration_since(Instant::now()));
    let secured = timeout(limit, handshake).await.unwrap_or(Err(handshake::Error::Timeout));
    let wire = secured.map_err(|error| failure::tls(to.origin, &error))?;
    Ok(Line::new(wire, era))
}

async fn tunnel(
    shared: &Arc<Shared>,
    to: To<'_>,
    limits: &Limits,
    deadline: Instant,
) -> Result<Wire, Refusal> {
    let target = to.server.authority.clone();
    let wish = Wish { target, via: shared.via.clone(), named: to.named };
    // The corporate proxy may take longer than a direct connection by default, and says more then.
    let limit = match limits.connect {
        shorter if shorter < Limits::default().connect => deadline.min(Instant::now() + shorter),
        _ => deadline,
    };
    let opened = timeout_at(limit, hop::tunnel(shared, &wish)).await;
    let opened = opened.unwrap_or_else(|_| Err(failure::no_connection(to.origin)));
    opened.map(|(wire, _)| wire)
}
