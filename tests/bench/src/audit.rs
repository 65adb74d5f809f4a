//! What it costs to write a release down: a whole `get` with and without it in turns, and the writing
//! alone, without a process around it.

use std::{fs, path::Path, time::Instant};

use gocred::{
    broker::{Asked, Journal, Log, Proofs, Question, Release, Secret},
    core::{
        audit::Via,
        config::Config,
        credential::{Entry, Key, Kind, Proof, Record, Secrets},
        gitproto::receipt::Source,
        origin::Origin,
    },
    sys::{env::Env, paths::Paths},
};

use crate::{
    Bench,
    keyring::Keyring,
    rounds::{median, percentile, samples},
    table::{Goal, Table},
};

impl Bench {
    /// Times it.
    pub(crate) fn audit(&self, table: &mut Table) {
        let home = self.work.join("home-audit");
        let keyring = Keyring::start(&home);
        self.fill(&home, 1);
        let known = self.input("known", "h0.bench.test", None);
        let on = self.timed("get", &self.helper, &["get"], &known, &home);
        let mut off = on.clone();
        let without = home.join("without/gocred");
        fs::create_dir_all(&without).expect("folder");
        fs::write(without.join("config.toml"), "[audit]\nenabled = false\n").expect("config");
        for (name, value) in &mut off.env {
            if name == "XDG_CONFIG_HOME" {
                *value = home.join("without").display().to_string();
            }
        }
        let rounds = self.scale.gets * 2;
        let log = home.join("state/gocred/audit.jsonl");
        let mut times = samples(&[on, off], rounds);
        let lines = fs::read_to_string(&log).expect("a log").lines().count();
        assert_eq!(lines, rounds + 3, "a record each, and none without");
        let [on, off] = &mut times[..] else { unreachable!("two commands") };
        let mut added = |share| (percentile(on, share) - percentile(off, share)) * 1e3;
        let (p50, p99) = (added(0.5), added(0.99));
        let goal = Goal::AtMost(50.0);
        let note = format!("p50 {p50:.0} µs; {rounds} of each in turns");
        table.time("a `get` that is written down, added p99, µs", p99, goal, &note);
        let mut alone = alone(&home, rounds);
        let note =
            format!("p50 {:.1} µs; {rounds}, without a process around it", median(&mut alone));
        let p99 = percentile(&mut alone, 0.99);
        table.time("to write a release down, p99, µs", p99, goal, &note);
        drop(keyring);
    }
}

/// Writes releases down as a `get` does, and returns how long each took, in microseconds.
fn alone(home: &Path, rounds: usize) -> Vec<f64> {
    let state = home.join("alone").display().to_string();
    let env = Env::of(&[("HOME", "/nonexistent"), ("XDG_STATE_HOME", &state)]);
    let paths = Paths::resolve(&env).expect("paths");
    let config = Config::default();
    let origin = Origin::new("https", "h0.bench.test").expect("an origin");
    let user = "ana".to_owned();
    let key = Key { kind: Kind::Git, origin: origin.clone(), path: None, user };
    let record = &Record {
        entry: Entry { key, expires: None, stored: 0, hidden: None },
        secrets: Secrets::of(Proof::Password("secret-0".into())),
    };
    let question = &Question { origin: &origin, path: None, user: None, proofs: Proofs::All };
    let (part, source) = (Secret::Proof, Source::Keyring);
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + 3 {
        let start = Instant::now();
        let mut log = Log::of(&config, &paths, Via::Helper, Asked::ByParent).expect("a log");
        log.record(&Release { record, part, source, question, rule: None }).expect("written");
        assert_eq!(log.omission(), None);
        // The first makes the file and the key.
        if round >= 3 {
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    times
}
