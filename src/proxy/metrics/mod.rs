//! Figures for a monitoring system, in the text format 0.0.4 of Prometheus.
//!
//! Counting costs an atomic addition. What is counted by upstream lives with the upstream, and is
//! labelled with its name only where the configuration names it: a PAC file must not make a time
//! series for each name that it thinks of.

mod front;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    core::{breaker::Health, refusal::Refusal},
    proxy::{Shared, status::Report, upstreams::Upstream},
};

/// The upper ends of the histograms' buckets, in microseconds.
const BUCKETS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000,
    10_000_000, 30_000_000,
];
/// So many upstreams have a label of their own.
const MOST: usize = 64;
/// The label of what goes to the target itself, and of upstreams without a label of their own.
const DIRECT: &str = "DIRECT";
const OTHER: &str = "other";

/// A part of the way from a request to its tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// From the head of a CONNECT to the ways to its target, the PAC file included.
    Route,
    /// To a TCP connection with an upstream or the target, the question for its name included.
    Dial,
    /// From the right to log in to the answer that shows that the login was accepted. A CONNECT that
    /// carries the login is answered when the target was reached.
    Login,
    /// From the head of a CONNECT to its tunnel.
    Open,
}

const STAGES: [(Stage, &str); 4] = [
    (Stage::Route, "route"),
    (Stage::Dial, "dial"),
    (Stage::Login, "login"),
    (Stage::Open, "open"),
];

/// What is measured of the proxy as a whole.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    route: Histogram,
    dial: Histogram,
    login: Histogram,
    open: Histogram,
    /// Tunnels to the target itself.
    pub(crate) direct: Outcomes,
}

impl Metrics {
    /// Takes how long a stage took.
    pub(crate) fn took(&self, stage: Stage, time: Duration) {
        self.stage(stage).add(time);
    }

    fn stage(&self, stage: Stage) -> &Histogram {
        match stage {
            Stage::Route => &self.route,
            Stage::Dial => &self.dial,
            Stage::Login => &self.login,
            Stage::Open => &self.open,
        }
    }
}

/// What became of the attempts to open a tunnel one way.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    opened: AtomicU64,
    /// By the status that the client is told.
    refused: Mutex<BTreeMap<u16, u64>>,
    /// Those of them for which the guard kept a rejected secret back.
    guarded: AtomicU64,
}

impl Outcomes {
    /// Counts an attempt that gave a tunnel.
    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that did not.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(refusal.status).or_default() += 1;
        if matches!(refusal.code, Some("P02" | "P34" | "P35")) {
            self.guarded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many gave a tunnel, and how many did not.
    pub(crate) fn sums(&self) -> (u64, u64) {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        (self.opened.load(Ordering::Relaxed), refused.values().sum())
    }

    fn by_status(&self) -> BTreeMap<u16, u64> {
        let mut all = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.insert(200, self.opened.load(Ordering::Relaxed));
        all
    }
}

/// Times, sorted into buckets.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    /// Above the last bucket.
    rest: AtomicU64,
    /// In microseconds.
    sum: AtomicU64,
}

impl Histogram {
    fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let at = BUCKETS.iter().position(|end| micros <= *end);
        let bucket = at.and_then(|at| self.buckets.get(at)).unwrap_or(&self.rest);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Returns all of it, as `/metrics` shows it.
pub(crate) fn text(shared: &Shared, report: &Report) -> String {
    let mut text = Text::default();
    whole(&mut text, report);
    let mut codes =
        text.family("gocred_findings_total", "counter", "Refusals and findings by code");
    for (code, count) in findings(shared) {
        codes.value(&[("code", code)], count);
    }
    by_upstream(&mut text, shared);
    stages(&mut text, &shared.metrics);
    if let Some(log) = &report.access_log {
        let name = "gocred_access_log_dropped_total";
        text.family(name, "counter", "Lines the access log could not take").plain(log.dropped);
    }
    if let Some(report) = &report.goproxy {
        front::figures(&mut text, report);
    }
    text.0
}

/// Returns how often each code was told, by the proxy and by the module proxy front.
fn findings(shared: &Shared) -> BTreeMap<&'static str, u64> {
    let mut codes = shared.tell.meter.codes();
    for (code, count) in shared.front().iter().flat_map(|front| front.codes()) {
        *codes.entry(code).or_default() += count;
    }
    codes
}

fn whole(text: &mut Text, report: &Report) {
    let mut family = text.family("gocred_build_info", "gauge", "The version, as a label");
    family.value(&[("version", &report.version)], 1);
    let totals = &report.totals;
    for (name, kind, help, value) in [
        ("gocred_start_time_seconds", "gauge", "When it started, since 1970", report.started),
        ("gocred_clients", "gauge", "Clients connected now", report.clients),
        ("gocred_tunnels_open", "gauge", "Tunnels open now", report.tunnels_open),
        ("gocred_tunnels_total", "counter", "Tunnels opened", totals.tunnels),
        ("gocred_requests_total", "counter", "Requests that were not CONNECT", totals.requests),
        ("gocred_refused_total", "counter", "Refusals of every kind", totals.refused),
    ] {
        text.family(name, kind, help).plain(value);
    }
    let mut bytes = text.family("gocred_bytes_total", "counter", "Bytes that were passed on");
    bytes.value(&[("direction", "up")], totals.bytes_up);
    bytes.value(&[("direction", "down")], totals.bytes_down);
}

/// What is counted by upstream.
#[derive(Default)]
struct Sums {
    by_status: BTreeMap<u16, u64>,
    rejected: u64,
    guarded: u64,
    spare: u64,
    /// The worst of them.
    breaker: u64,
}

impl Sums {
    fn add(&mut self, outcomes: &Outcomes) {
        for (status, count) in outcomes.by_status() {
            *self.by_status.entry(status).or_default() += count;
        }
        self.guarded += outcomes.guarded.load(Ordering::Relaxed);
    }

    fn add_upstream(&mut self, upstream: &Upstream) {
        self.add(&upstream.outcomes);
        self.rejected += upstream.login.rejections.load(Ordering::Relaxed);
        self.spare += upstream.pool.len() as u64;
        self.breaker = self.breaker.max(match upstream.health() {
            Health::Good => 0,
            Health::Probed => 1,
            Health::OutOfOrder(_) => 2,
        });
    }
}

type Figure = fn(&Sums) -> u64;

fn by_upstream(text: &mut Text, shared: &Shared) {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for upstream in shared.upstreams.all() {
        let name = upstream.origin.to_string();
        let has_label = upstream.is_configured() && sums.len() < MOST;
        let label = if has_label { name } else { OTHER.to_owned() };
        sums.entry(label).or_default().add_upstream(&upstream);
    }
    let mut connects =
        text.family("gocred_proxy_connect_total", "counter", "Attempts to open a tunnel");
    let mut direct = Sums::default();
    direct.add(&shared.metrics.direct);
    let of_direct = (DIRECT.to_owned(), direct);
    for (label, sums) in sums.iter().chain([(&of_direct.0, &of_direct.1)]) {
        for (status, count) in &sums.by_status {
            connects.value(&[("upstream", label), ("code", &status.to_string())], *count);
        }
    }
    let figures: [(&str, &str, &str, Figure); 4] = [
        (
            "gocred_upstream_auth_rejected_total",
            "counter",
            "Logins that an upstream rejected",
            |sums| sums.rejected,
        ),
        (
            "gocred_guard_tripped_total",
            "counter",
            "Requests refused because the secret was rejected before",
            |sums| sums.guarded,
        ),
        (
            "gocred_breaker_state",
            "gauge",
            "0 works, 1 is being tried again, 2 is out of order",
            |sums| sums.breaker,
        ),
        ("gocred_spare_connections", "gauge", "Spare connections that have logged in", |sums| {
            sums.spare
        }),
    ];
    for (name, kind, help, figure) in figures {
        let mut family = text.family(name, kind, help);
        for (label, sums) in &sums {
            family.value(&[("upstream", label)], figure(sums));
        }
    }
}

fn stages(text: &mut Text, metrics: &Metrics) {
    let name = "gocred_stage_seconds";
    text.family(name, "histogram", "How long the parts of the way to a tunnel take");
    for (stage, label) in STAGES {
        let Histogram { buckets, rest, sum } = metrics.stage(stage);
        let mut count = 0;
        for (bucket, end) in buckets.iter().zip(BUCKETS) {
            count += bucket.load(Ordering::Relaxed);
            let end = seconds(end);
            text.line(&format!("{name}_bucket"), &[("stage", label), ("le", &end)], &count);
        }
        count += rest.load(Ordering::Relaxed);
        text.line(&format!("{name}_bucket"), &[("stage", label), ("le", "+Inf")], &count);
        let sum = seconds(sum.load(Ordering::Relaxed));
        text.line(&format!("{name}_sum"), &[("stage", label)], &sum);
        text.line(&format!("{name}_count"), &[("stage", label)], &count);
    }
}

/// Writes microseconds as seconds, without the zeros that say nothing.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text under way.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Starts a family of values of one name.
    fn family<'a>(&'a mut self, name: &'a str, kind: &str, help: &str) -> Family<'a> {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: self, name }
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: &dyn std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

/// The values of one name.
struct Family<'a> {
    text: &'a mut Text,
    name: &'a str,
}

impl Family<'_> {
    fn value(&mut self, labels: &[(&str, &str)], value: u64) {
        self.text.line(self.name, labels, &value);
    }

    fn plain(&mut self, value: u64) {
        self.value(&[], value);
    }
}

/// Returns a label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Metrics, Outcomes, Stage, Text, escape, seconds, stages};
    use crate::core::refusal::Refusal;

    #[test]
    fn times_are_counted_in_every_bucket_that_holds_them() {
        let metrics = Metrics::default();
        for micros in [1, 250, 251, 999_999, 40_000_000] {
            metrics.took(Stage::Open, Duration::from_micros(micros));
        }
        let mut text = Text::default();
        stages(&mut text, &metrics);
        for line in [
            "gocred_stage_seconds_bucket{stage=\"open\",le=\"0.00025\"} 2\n",
            "gocred_stage_seconds_bucket{stage=\"open\",le=\"0.0005\"} 3\n",
            "gocred_stage_seconds_bucket{stage=\"open\",le=\"1\"} 4\n",
            "gocred_stage_seconds_bucket{stage=\"open\",le=\"30\"} 4\n",
            "gocred_stage_seconds_bucket{stage=\"open\",le=\"+Inf\"} 5\n",
            "gocred_stage_seconds_sum{stage=\"open\"} 41.000501\n",
            "gocred_stage_seconds_count{stage=\"open\"} 5\n",
            "gocred_stage_seconds_count{stage=\"dial\"} 0\n",
        ] {
            assert!(text.0.contains(line), "{line}{}", text.0);
        }
    }

    #[test]
    fn outcomes_are_kept_by_status_and_the_guard_is_counted() {
        let outcomes = Outcomes::default();
        outcomes.opened();
        outcomes.refused(&Refusal::new(502, "x", "x").code("P02"));
        outcomes.refused(&Refusal::new(502, "x", "x").code("P13"));
        outcomes.refused(&Refusal::new(403, "x", "x"));
        let by_status = outcomes.by_status();
        assert_eq!((by_status[&200], by_status[&502], by_status[&403]), (1, 2, 1));
        assert_eq!(outcomes.guarded.into_inner(), 1);
    }

    #[test]
    fn numbers_and_labels_are_written_as_the_format_wants() {
        assert_eq!(
            (seconds(0), seconds(2_500_000), seconds(1)),
            ("0".into(), "2.5".into(), "0.000001".into())
        );
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
