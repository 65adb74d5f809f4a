//! The loopback proxy under load, beside its neighbours: in one run, in turns, medians and ratios.
//!
//! Runs inside `tests/lab/enter.sh`; what needs a domain is measured inside `enter.sh --domain`.

mod crowd;
mod domain;
pub mod load;
pub mod peers;
pub mod process;
mod rows;
pub mod servers;
mod trouble;

use std::{path::Path, time::Duration};

use tokio::runtime::{Builder, Runtime};

use self::{
    peers::Field,
    servers::{SECRET, Servers, UPSTREAM, USER},
};
use crate::{keyring::Keyring, table::Table};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub rounds: usize,
    /// How long one measurement takes.
    pub span: Duration,
    pub clients: &'static [usize],
    pub idle: usize,
    pub half_sent: usize,
    pub half_sent_for: Duration,
    pub starts: usize,
}

const WHOLE: Scale = Scale {
    rounds: 3,
    span: Duration::from_secs(4),
    clients: &[1, 16, 128],
    idle: 9000,
    half_sent: 10_000,
    half_sent_for: Duration::from_secs(60),
    starts: 21,
};
const SHORT: Scale = Scale {
    rounds: 3,
    span: Duration::from_millis(400),
    clients: &[16],
    idle: 2000,
    half_sent: 2000,
    half_sent_for: Duration::from_secs(12),
    starts: 7,
};

/// Runs every row, or those that are named.
pub fn run(gocred: &Path, work: &Path, is_short: bool, only: &[String], table: &mut Table) {
    // Two sockets of ours for each idle tunnel.
    let files = gocred::sys::limits::raise_open_files();
    let most = usize::try_from(files.saturating_sub(400) / 2).unwrap_or(usize::MAX);
    let mut scale = if is_short { SHORT } else { WHOLE };
    scale.idle = scale.idle.min(most);
    scale.half_sent = scale.half_sent.min(2 * most);
    let servers = Servers::start(work);
    let keyring = Keyring::start(&work.join("home-proxy"));
    let field = Field { gocred, work, keyring: &keyring };
    field.log_in(UPSTREAM, USER, SECRET);
    let bench = Bench { field, servers, scale, runtime: runtime() };
    for (name, row) in ROWS {
        if only.is_empty() || only.iter().any(|only| only == name) {
            row(&bench, table);
        }
    }
}

type Row = fn(&Bench<'_>, &mut Table);
const ROWS: &[(&str, Row)] = &[
    ("tunnels", |bench, table| bench.tunnels(table)),
    ("bulk", |bench, table| bench.bulk(table)),
    ("keep", |bench, table| bench.keep(table)),
    ("idle", |bench, table| bench.idle(table)),
    ("start", |bench, table| bench.start(table)),
    ("fail-over", |bench, table| bench.fail_over(table)),
    ("uid", |bench, table| bench.uid(table)),
    ("half-sent", |bench, table| bench.half_sent(table)),
    ("domain", |bench, table| bench.domain(table)),
];

/// What every row needs.
pub struct Bench<'a> {
    field: Field<'a>,
    servers: Servers,
    scale: Scale,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}
