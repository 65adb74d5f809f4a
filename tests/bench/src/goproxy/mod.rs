//! The module proxy front, beside go and a client that ask the same server straight: in one run, in
//! turns, medians and ratios. Runs inside `tests/lab/enter.sh`.

mod delay;
mod download;
mod flaky;
mod modules;
mod rows;
mod servers;

use std::{path::Path, time::Duration};

use tokio::runtime::{Builder, Runtime};

use self::{download::Go, servers::Servers};
use crate::{keyring::Keyring, proxy::peers::Field, table::Table};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Pairs of downloads from a server on this machine, and from far away.
    near: usize,
    far: usize,
    /// Rounds of the rows of single requests, and how long each takes.
    rounds: usize,
    span: Duration,
    /// Downloads from a server that fails one request in ten.
    flaky: usize,
    /// The size of a large zip, in MiB.
    large: u64,
}

const WHOLE: Scale =
    Scale { near: 61, far: 11, rounds: 5, span: Duration::from_secs(4), flaky: 40, large: 1024 };
const SHORT: Scale =
    Scale { near: 15, far: 3, rounds: 3, span: Duration::from_millis(500), flaky: 3, large: 256 };

/// How many modules a project needs, and how many where the server fails.
const MODULES: usize = 60;
const MANY: usize = 200;

/// Runs every row, or those that are named.
pub fn run(gocred: &Path, work: &Path, is_short: bool, only: &[String], table: &mut Table) {
    let scale = if is_short { SHORT } else { WHOLE };
    let servers = Servers::start(work, scale.large);
    let go = Go::new(work);
    let keyring = Keyring::start(&work.join("home-proxy"));
    let field = Field { gocred, work, keyring: &keyring };
    field.configure("");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Bench { field, servers, go, scale, runtime };
    for (name, row) in ROWS {
        if only.is_empty() || only.iter().any(|only| only == name) {
            row(&bench, table);
        }
    }
}

type Row = fn(&Bench<'_>, &mut Table);
const ROWS: &[(&str, Row)] = &[
    ("modules", |bench, table| bench.modules(table)),
    ("round-trip", |bench, table| bench.round_trip(table)),
    ("latency", |bench, table| bench.latency(table)),
    ("rate", |bench, table| bench.rate(table)),
    ("large", |bench, table| bench.large(table)),
    ("flaky", |bench, table| bench.flaky(table)),
];

/// What every row needs.
struct Bench<'a> {
    field: Field<'a>,
    servers: Servers,
    go: Go,
    scale: Scale,
    runtime: Runtime,
}
