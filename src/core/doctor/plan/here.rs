//! What go.mod and go.work of this folder need: the first module of each way stands for all that go the same way,
//! and is followed to its end; where it can be had, of the others only whether they are there is asked.

use std::collections::BTreeSet;

use crate::core::doctor::{
    leg::Leg,
    machine::{Machine, Module},
    plan::{follow::Follower, module},
};

/// So many ways are followed to their ends at most.
const MOST: usize = 8;
/// So many modules are asked for at most.
const MOST_MODULES: usize = 60;

/// A module that is needed.
struct Needed {
    path: String,
    version: String,
    /// What it shares with others: its host, or the module proxies, which are "".
    way: String,
}

/// Follows what is needed.
pub(super) fn follow(follower: &mut Follower<'_>) {
    let needed = modules(follower.machine);
    let mut ways: BTreeSet<&str> = BTreeSet::new();
    let mut good: BTreeSet<&str> = BTreeSet::new();
    for it in &needed {
        if ways.len() == MOST || !ways.insert(&it.way) {
            continue;
        }
        let (from, wanted) = (follower.legs.len(), follower.wanted.len());
        module::follow(follower, &it.path, Some(&it.version));
        let legs = follower.legs.get(from..).unwrap_or_default();
        let fails = |leg: &Leg<'_>| leg.decides && leg.failed().is_some();
        if follower.wanted.len() == wanted && !legs.iter().any(fails) {
            good.insert(&it.way);
        }
    }
    let mut seen = BTreeSet::new();
    for it in needed.iter().take(MOST_MODULES) {
        let is_first = seen.insert(&it.way);
        if !is_first && good.contains(it.way.as_str()) {
            module::look(follower, &it.path, &it.version);
        }
    }
}

/// Returns what is fetched for the modules here.
fn modules(machine: &Machine) -> Vec<Needed> {
    let fetched = machine.module.as_ref().map(Module::fetched).unwrap_or_default();
    let needed = fetched.into_iter().map(|(path, version)| {
        let host = path.split('/').next().filter(|_| module::is_private(machine, &path));
        let way = host.unwrap_or_default().to_owned();
        Needed { path, version, way }
    });
    needed.collect()
}
