//! `url.<base>.insteadOf` (git's remote.c, `alias_url`): the longest prefix counts, and of two of the same length
//! the one whose base was named first. Where git pushes to (`pushInsteadOf`) is nobody's question here.

use crate::core::doctor::machine::{GitValue, Machine};

/// Returns the URL that git fetches from instead of this one, and what says so.
pub fn fetch<'a>(machine: &'a Machine, url: &str) -> Option<(String, &'a GitValue)> {
    let rules = || {
        machine.git_config.iter().filter_map(|value| {
            let (base, key) = value.key.strip_prefix("url.")?.rsplit_once('.')?;
            (key == "insteadof").then_some((base, value))
        })
    };
    let mut bases: Vec<&str> = Vec::new();
    for (base, _) in rules() {
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    let mut longest: Option<(&str, &GitValue)> = None;
    for base in bases {
        for (_, value) in rules().filter(|(it, _)| *it == base) {
            let prefix = value.value.raw();
            let is_longer =
                longest.is_none_or(|(_, longest)| longest.value.raw().len() < prefix.len());
            if url.starts_with(prefix) && is_longer {
                longest = Some((base, value));
            }
        }
    }
    let (base, value) = longest?;
    let rest = url.strip_prefix(value.value.raw())?;
    Some((format!("{base}{rest}"), value))
}
