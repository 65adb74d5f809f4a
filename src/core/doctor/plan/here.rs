//! What go.mod and go.work of this folder need: the first module of each way stands for all that go the same way,
//! and is followed to its end; where it can be had, of the others only whether they are there is asked.

use std::collections::BTreeSet;

use crate::core::doctor::{
    leg::Leg,
    machine::{Machine, Text},
    plan::{follow::Follower, module},
    private::Private,
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

/// Returns what go.mod requires, and the go.mod of what a go.work uses.
fn modules(machine: &Machine) -> Vec<Needed> {
    let Some(module) = &machine.module else { return Vec::new() };
    let mut found: Vec<Needed> = Vec::new();
    for file in std::iter::once(&module.go_mod).chain(&module.used) {
        of_file(file, machine, &mut found);
    }
    found
}

fn of_file(file: &Text, machine: &Machine, found: &mut Vec<Needed>) {
    let lines: Vec<&str> = file.lines.iter().flatten().map(Private::raw).collect();
    let replaced = directives(&lines, "replace");
    for words in directives(&lines, "require") {
        let [path, version, ..] = words.as_slice() else { continue };
        let Some((path, version)) = instead(&replaced, path, version) else { continue };
        let host = path.split('/').next().unwrap_or_default();
        let way = if module::is_private(machine, path) { host } else { "" };
        let is_known = |it: &Needed| it.path == path && it.version == version;
        let is_own = machine.module.as_ref().is_some_and(|module| module.is_own(path));
        if !found.iter().any(is_known) && !is_own {
            let (path, version) = (path.to_owned(), version.to_owned());
            found.push(Needed { path, version, way: way.to_owned() });
        }
    }
}

/// Returns what is fetched for a requirement: what replaces it, or itself. `None`: a folder replaces it.
fn instead<'a>(
    replaced: &'a [Vec<String>],
    path: &'a str,
    version: &'a str,
) -> Option<(&'a str, &'a str)> {
    let rule = replaced.iter().find_map(|words| {
        let at = words.iter().position(|word| word == "=>")?;
        let (old, new) = words.split_at(at);
        let is_it =
            old.first().is_some_and(|it| it == path) && old.get(1).is_none_or(|it| it == version);
        is_it.then_some(new)
    });
    match rule {
        None => Some((path, version)),
        Some([_, path, version]) => Some((path, version)),
        Some(_) => None,
    }
}

/// Returns the words behind each line of a directive, in either of its forms.
pub(in crate::core::doctor) fn directives(lines: &[&str], name: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for line in lines {
        let line = line.split("//").next().unwrap_or_default().trim();
        let mut words = line.split_whitespace().map(|word| word.trim_matches('"').to_owned());
        if is_inside {
            is_inside = line != ")";
            let words: Vec<String> = words.collect();
            if is_inside && !words.is_empty() {
                found.push(words);
            }
        } else if words.next().as_deref() == Some(name) {
            let words: Vec<String> = words.collect();
            if words.first().is_some_and(|word| word == "(") {
                is_inside = true;
            } else {
                found.push(words);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn both_forms_of_require_are_read() {
        let text = "module m\nrequire h.test/a v1.0.0 // indirect\nrequire (\n\th.test/b v1.1.0\n)\nreplace h.test/a => ../a";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(directives(&lines, "require"), [["h.test/a", "v1.0.0"], ["h.test/b", "v1.1.0"]]);
        assert_eq!(directives(&lines, "replace").len(), 1);
    }
}
