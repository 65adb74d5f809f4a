//! The modules of this folder's go.mod that stand for all of them: one a host and way.

use std::collections::BTreeSet;

use crate::core::doctor::{gomod::GoMod, machine::Machine, plan::module};

/// So many ways are followed at most.
const MOST: usize = 8;

/// Returns paths and versions.
pub(super) fn modules(machine: &Machine) -> Vec<(String, String)> {
    let Some(module) = &machine.module else { return Vec::new() };
    let mut ways = BTreeSet::new();
    let fetched = GoMod::parse(&module.go_mod).fetched();
    let first = fetched.filter(|(path, _)| {
        // Everything that a module proxy has takes one way.
        let host = path.split('/').next().filter(|_| module::is_private(machine, path));
        ways.insert(host.unwrap_or_default().to_owned())
    });
    first.take(MOST).collect()
}
