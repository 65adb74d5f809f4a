//! The modules of this folder's go.mod that stand for all of them: one a host and way.

use std::collections::BTreeSet;

use crate::core::doctor::{machine::Machine, plan::module};

/// So many ways are followed at most.
const MOST: usize = 8;

/// Returns paths and versions.
pub(super) fn modules(machine: &Machine) -> Vec<(String, String)> {
    let Some(module) = &machine.module else { return Vec::new() };
    let lines: Vec<&str> = module
        .go_mod
        .lines
        .iter()
        .flatten()
        .map(crate::core::doctor::private::Private::raw)
        .collect();
    let replaced = directives(&lines, "replace");
    let mut ways = BTreeSet::new();
    let mut found = Vec::new();
    for words in directives(&lines, "require") {
        let [path, version, ..] = words.as_slice() else { continue };
        let Some((path, version)) = instead(&replaced, path, version) else { continue };
        let host = path.split('/').next().unwrap_or_default();
        // Everything that a module proxy has takes one way.
        let way = if module::is_private(machine, path) { host } else { "" };
        if found.len() < MOST && ways.insert(way.to_owned()) {
            found.push((path.to_owned(), version.to_owned()));
        }
    }
    found
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
