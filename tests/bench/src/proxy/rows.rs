//! The rows of throughput: new tunnels, bulk, and requests on kept connections.

use super::{
    Bench,
    load::{self, Seen},
    peers::Peer,
    servers::{ORIGIN_ADDRESS, UPSTREAM, UPSTREAM_ADDRESS},
};
use crate::{
    rounds::{median, percentile, turns},
    table::{Goal, Table},
};

/// One measurement of one peer.
pub struct Sample {
    pub seen: Seen,
    /// CPU time of the peer, in seconds.
    pub cpu: f64,
}

/// Returns the median over the rounds of a figure of each peer.
pub fn figures(samples: &[Vec<Sample>], figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
    samples
        .iter()
        .map(|rounds| median(&mut rounds.iter().map(&figure).collect::<Vec<_>>()))
        .collect()
}

/// Writes each peer's figure in a word or two.
pub fn beside(peers: &[Peer], figures: &[f64], unit: impl Fn(f64) -> String) -> String {
    let parts = peers.iter().zip(figures).filter(|(peer, _)| peer.name != "gocred");
    parts
        .map(|(peer, figure)| format!("{} {}", peer.name, unit(*figure)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the figure of a peer by its name.
pub fn of(peers: &[Peer], figures: &[f64], name: &str) -> f64 {
    let found = peers.iter().position(|peer| peer.name == name);
    found.and_then(|index| figures.get(index)).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub fn count_errors(table: &mut Table, what: &str, peers: &[Peer], samples: &[Vec<Sample>]) {
    let ours = peers.iter().zip(samples).filter(|(peer, _)| peer.name == "gocred");
    let seen: Vec<&Seen> = ours.flat_map(|(_, rounds)| rounds).map(|sample| &sample.seen).collect();
    let errors: usize = seen.iter().map(|seen| seen.errors).sum();
    let done: usize = seen.iter().map(|seen| seen.times.len()).sum();
    let first = seen.iter().find_map(|seen| seen.error.clone()).unwrap_or_default();
    table.count(what, errors as f64, 0.0, &format!("of {done} {first}"));
}

impl Bench<'_> {
    /// Measures the peers in turns.
    pub fn sample(&self, peers: &[Peer], load: impl AsyncFn(&Peer) -> Seen) -> Vec<Vec<Sample>> {
        turns(peers, self.scale.rounds, |peer| {
            let before = peer.cpu();
            let seen = self.runtime.block_on(load(peer));
            Sample { seen, cpu: peer.cpu() - before }
        })
    }

    pub fn tunnels(&self, table: &mut Table) {
        let mut peers = vec![
            self.field.alone(),
            self.field.gocred(7601, &[UPSTREAM], &[]),
            self.field.haproxy(7602, UPSTREAM_ADDRESS),
            self.field.tinyproxy(7603),
            self.field.squid_child(7604),
        ];
        peers.extend(self.field.px(7605));
        for &clients in self.scale.clients {
            let samples = self.sample(&peers, async |peer| {
                load::tunnels(&peer.way, clients, self.scale.span).await
            });
            let rates = figures(&samples, |sample| sample.seen.per_second());
            let alone = of(&peers, &rates, "squid");
            let ours = of(&peers, &rates, "gocred");
            table.time(
                &format!("new tunnels through squid with Basic, {clients} clients, × squid reached directly"),
                ours / alone,
                Goal::AtLeast(0.9),
                &format!(
                    "{ours:.0}/s; {}",
                    beside(&peers, &rates, |rate| format!("{:.2} × ({rate:.0}/s)", rate / alone))
                ),
            );
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let costs = figures(&samples, |sample| {
                sample.cpu * 1e6 / sample.seen.times.len().max(1) as f64
            });
            let (ours, haproxy) = (of(&peers, &costs, "gocred"), of(&peers, &costs, "haproxy"));
            table.time(
                &format!("CPU of a tunnel, {clients} clients, × haproxy in TCP mode"),
                ours / haproxy,
                Goal::AtMost(1.1),
                &format!(
                    "{ours:.0} µs; {}",
                    beside(&peers, &costs, |cost| format!("{cost:.0} µs"))
                ),
            );
            count_errors(table, &format!("failed tunnels, {clients} clients"), &peers, &samples);
        }
    }

    pub fn bulk(&self, table: &mut Table) {
        const TUNNELS: usize = 64;
        let mut haproxy = self.field.haproxy(7612, ORIGIN_ADDRESS);
        // It takes no CONNECT; the bytes are the same without one.
        haproxy.way.is_asked = false;
        for (how, peers, limit) in [
            (
                "direct",
                vec![
                    self.field.gocred_direct(7611),
                    haproxy,
                    self.field.relay(7610, ORIGIN_ADDRESS),
                ],
                0.25,
            ),
            (
                "through squid",
                vec![
                    self.field.gocred(7613, &[UPSTREAM], &[]),
                    self.field.haproxy(7614, UPSTREAM_ADDRESS),
                    self.field.squid_child(7615),
                    self.field.tinyproxy(7616),
                ],
                0.4,
            ),
        ] {
            let samples = self
                .sample(&peers, async |peer| load::bulk(&peer.way, TUNNELS, self.scale.span).await);
            let rates = figures(&samples, |sample| sample.seen.gigabytes() / sample.seen.seconds);
            let (ours, haproxy) = (of(&peers, &rates, "gocred"), of(&peers, &rates, "haproxy"));
            table.time(
                &format!("bulk, {TUNNELS} tunnels {how}, GB/s, × haproxy"),
                ours / haproxy,
                Goal::AtLeast(1.0),
                &format!("{ours:.2} GB/s; {}", beside(&peers, &rates, |rate| format!("{rate:.2}"))),
            );
            let costs =
                figures(&samples, |sample| sample.cpu / sample.seen.gigabytes().max(f64::EPSILON));
            table.time(
                &format!("bulk, {TUNNELS} tunnels {how}, CPU s/GB"),
                of(&peers, &costs, "gocred"),
                Goal::AtMost(limit),
                &beside(&peers, &costs, |cost| format!("{cost:.2}")),
            );
            count_errors(table, &format!("failed bulk tunnels {how}"), &peers, &samples);
        }
    }

    pub fn keep(&self, table: &mut Table) {
        let mut peers = vec![
            self.field.alone(),
            self.field.gocred(7621, &[UPSTREAM], &[]),
            self.field.haproxy(7622, UPSTREAM_ADDRESS),
            self.field.tinyproxy(7623),
            self.field.squid_child(7624),
        ];
        peers.extend(self.field.px(7625));
        let samples =
            self.sample(&peers, async |peer| load::keep(&peer.way, self.scale.span).await);
        for (share, limit) in [(0.5, 45.0), (0.99, 150.0)] {
            let times =
                figures(&samples, |sample| 1e3 * percentile(&mut sample.seen.times.clone(), share));
            let alone = of(&peers, &times, "squid");
            table.time(
                &format!("keep-alive GET through squid, added p{:.0}, µs", share * 100.0),
                of(&peers, &times, "gocred") - alone,
                Goal::AtMost(limit),
                &format!(
                    "squid alone {alone:.0}; added: {}",
                    beside(
                        peers.get(2..).unwrap_or_default(),
                        times.get(2..).unwrap_or_default(),
                        |time| format!("{:.0}", time - alone)
                    )
                ),
            );
        }
        let stalls = |sample: &Sample| {
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let count = sample.seen.times.iter().filter(|time| **time >= 20.0).count() as f64;
            count
        };
        let stalls = figures(&samples, stalls);
        table.time(
            "keep-alive GET, stalls of 20 ms and more",
            of(&peers, &stalls, "gocred"),
            Goal::AtMost(0.0),
            &beside(&peers, &stalls, |count| format!("{count:.0}")),
        );
        count_errors(table, "failed keep-alive GETs", &peers, &samples);
    }
}
