//! What the proxy did and does: counters, the last findings, and the report of both.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::{
    core::{credential::UnixTime, refusal::Refusal},
    proxy::{AccessLogReport, Callers, Shared, goproxy::FrontReport},
    sys::clock,
};

/// How many findings are kept.
const FINDINGS: usize = 16;

/// The counters.
#[derive(Debug)]
pub(crate) struct Meter {
    started: UnixTime,
    pub(crate) requests: AtomicU64,
    pub(crate) tunnels: AtomicU64,
    pub(crate) tunnels_open: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) bytes_up: AtomicU64,
    pub(crate) bytes_down: AtomicU64,
    findings: Mutex<Findings>,
}

/// What went wrong.
#[derive(Debug, Default)]
struct Findings {
    last: VecDeque<Finding>,
    /// How often each code came.
    codes: BTreeMap<&'static str, u64>,
}

/// Tells findings: to the report, and to the terminal unless it is the same as the last one.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) meter: Arc<Meter>,
    pub(crate) voice: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Teller {
    /// Tells one that no client was told.
    pub(crate) fn tell(&self, finding: &Refusal) {
        if let Some(line) = self.meter.found(finding) {
            (self.voice)(&line);
        }
    }

    /// Counts a refusal, and tells it.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.meter.refused.fetch_add(1, Ordering::Relaxed);
        self.tell(refusal);
    }
}

impl Default for Meter {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            started: clock::now(),
            requests: zero(),
            tunnels: zero(),
            tunnels_open: zero(),
            refused: zero(),
            bytes_up: zero(),
            bytes_down: zero(),
            findings: Mutex::default(),
        }
    }
}

impl Meter {
    /// Keeps a finding. Returns its line when it differs from the last one.
    fn found(&self, finding: &Refusal) -> Option<String> {
        let message = finding.reason();
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        let Findings { last, codes } = &mut *findings;
        *codes.entry(finding.code.unwrap_or("none")).or_default() += 1;
        if let Some(last) = last.back_mut().filter(|last| last.message == message) {
            last.count += 1;
            last.at = clock::now();
            return None;
        }
        if last.len() == FINDINGS {
            last.pop_front();
        }
        let code = finding.code.map(str::to_owned);
        last.push_back(Finding { at: clock::now(), code, message: message.clone(), count: 1 });
        Some(message)
    }

    /// Returns the last findings, oldest first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.last.iter().cloned().collect()
    }

    /// Returns how often each code came; those without one as `none`.
    pub(crate) fn codes(&self) -> BTreeMap<&'static str, u64> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).codes.clone()
    }
}

/// What `gocred proxy status --json` prints. Fields are only ever added.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Report {
    /// The version of this schema.
    pub schema: u32,
    /// The version of the daemon.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started, in seconds since 1970.
    pub started: UnixTime,
    /// Where it listens.
    pub listen: Vec<String>,
    /// `uid`, or `token`: how clients show that they may be served.
    pub callers: String,
    /// The proxies it goes through, in order of their names.
    pub upstreams: Vec<UpstreamReport>,
    /// The PAC file, where one is configured.
    pub pac: Option<PacReport>,
    /// The access log, where there is one.
    #[serde(default)]
    pub access_log: Option<AccessLogReport>,
    /// The module proxy front, where there is one.
    #[serde(default)]
    pub goproxy: Option<FrontReport>,
    /// Clients connected now.
    pub clients: u64,
    /// Tunnels open now.
    pub tunnels_open: u64,
    /// Since the start.
    pub totals: Totals,
    /// The last refusals, oldest first.
    pub findings: Vec<Finding>,
}

/// One upstream of a [`Report`].
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct UpstreamReport {
    /// Its URL.
    pub url: String,
    /// `untried`, `open` (asks for nothing), `accepted`, or `barred`.
    pub login: String,
    /// The scheme of the login, once there was one.
    pub scheme: Option<String>,
    /// Why nothing is sent, where `login` is `barred`.
    pub reason: Option<String>,
    /// `good`, or that it is out of order, and until when.
    pub health: String,
    /// Spare connections that have logged in.
    pub spare: u64,
    /// Tunnels that it opened.
    #[serde(default)]
    pub opened: u64,
    /// Tunnels that it did not open, whatever the reason.
    #[serde(default)]
    pub refused: u64,
}

/// The PAC file of a [`Report`].
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct PacReport {
    /// Where it comes from, as `proxy.pac` says it.
    pub source: String,
    /// When it was loaded last, in seconds ago; `None`: not yet.
    pub age: Option<u64>,
    /// Why the last load, or the last answer, was none.
    pub trouble: Option<String>,
}

/// The sums of a [`Report`].
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Totals {
    /// Requests that were not CONNECT.
    pub requests: u64,
    /// Tunnels opened.
    pub tunnels: u64,
    /// Refusals of every kind.
    pub refused: u64,
    /// From clients, in bytes.
    pub bytes_up: u64,
    /// To clients, in bytes.
    pub bytes_down: u64,
}

/// A refusal that was told to a client.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Finding {
    /// When it came last, in seconds since 1970.
    pub at: UnixTime,
    /// The code of the failure catalogue.
    pub code: Option<String>,
    /// The reason phrase.
    pub message: String,
    /// How often in a row.
    pub count: u64,
}

/// Writes the report.
pub(crate) fn report(shared: &Shared) -> Report {
    let Meter { started, requests, tunnels, tunnels_open, refused, bytes_up, bytes_down, .. } =
        &*shared.tell.meter;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let callers = match shared.callers {
        Callers::Token => "token",
        Callers::Uid => "uid",
    };
    Report {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: *started,
        listen: shared.own.iter().map(ToString::to_string).collect(),
        callers: callers.to_owned(),
        upstreams: shared.upstreams.report(),
        pac: shared.script.report(),
        access_log: shared.log.report(),
        goproxy: shared.front().map(|front| front.report()),
        clients: shared.crowd.len() as u64,
        tunnels_open: read(tunnels_open),
        totals: Totals {
            requests: read(requests),
            tunnels: read(tunnels),
            refused: read(refused),
            bytes_up: read(bytes_up),
            bytes_down: read(bytes_down),
        },
        findings: shared.tell.meter.findings(),
    }
}
