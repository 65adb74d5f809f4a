//! What git takes for a key that may be limited to URLs: `http.<url>.proxy` before `http.proxy`
//! (urlmatch.c, `urlmatch_config_entry`).

use crate::core::doctor::{
    machine::{GitValue, Machine},
    route::git_url::{Match, Normal},
};

/// Returns the value of `SECTION.<url>.KEY` or `SECTION.KEY` that counts for a URL: of the best matches the
/// last one. `key` is in lower case.
pub fn best<'a>(
    config: impl IntoIterator<Item = &'a GitValue>,
    (section, key): (&str, &str),
    url: &str,
) -> Option<&'a GitValue> {
    matching(config, (section, key), url).pop()
}

/// Returns all values that git collects of a list (`http.extraHeader`): a value counts where none before it
/// matched better. An empty one empties the list.
pub fn list<'a>(machine: &'a Machine, name: (&str, &str), url: &str) -> Vec<&'a GitValue> {
    let mut values = Vec::new();
    for value in matching(&machine.git_config, name, url) {
        if value.value.raw().is_empty() {
            values.clear();
        } else {
            values.push(value);
        }
    }
    values
}

/// Returns every value that matches, in order, whatever matched better: `credential.*`
/// (credential.c, `select_all`). An empty one empties the list.
pub fn credential<'a>(machine: &'a Machine, key: &str, url: &str) -> Vec<&'a GitValue> {
    let normal = Normal::of(url);
    let mut values = Vec::new();
    for value in &machine.git_config {
        let Some((pattern, _)) = split(&value.key, "credential").filter(|(_, it)| *it == key)
        else {
            continue;
        };
        let is_for = match (pattern, &normal) {
            (None, _) => true,
            (Some(pattern), Some(normal)) => match Normal::pattern(pattern) {
                Some(pattern) => normal.matched(&pattern).is_some(),
                None => is_partial(pattern, url),
            },
            (Some(_), None) => false,
        };
        if is_for && value.value.raw().is_empty() {
            values.clear();
        } else if is_for {
            values.push(value);
        }
    }
    values
}

fn matching<'a>(
    config: impl IntoIterator<Item = &'a GitValue>,
    (section, key): (&str, &str),
    url: &str,
) -> Vec<&'a GitValue> {
    let normal = Normal::of(url);
    let mut best: Option<Match> = None;
    let mut values = Vec::new();
    for value in config {
        let Some((pattern, _)) = split(&value.key, section).filter(|(_, it)| *it == key) else {
            continue;
        };
        let matched = match pattern {
            None => Some(Match::default()),
            Some(pattern) => Normal::pattern(pattern)
                .and_then(|pattern| normal.as_ref().and_then(|normal| normal.matched(&pattern))),
        };
        if let Some(matched) = matched.filter(|matched| best.is_none_or(|best| *matched >= best)) {
            best = Some(matched);
            values.push(value);
        }
    }
    values
}

/// Cuts a full key of a section: what it is limited to, and its name.
fn split<'a>(key: &'a str, section: &str) -> Option<(Option<&'a str>, &'a str)> {
    let rest = key.strip_prefix(section)?.strip_prefix('.')?;
    Some(match rest.rsplit_once('.') {
        Some((pattern, name)) => (Some(pattern), name),
        None => (None, rest),
    })
}

/// Patterns that are no whole URL (credential.c, `match_partial_url`): `https://`, `git.corp.example`,
/// `/team`. What they name must be the same.
fn is_partial(pattern: &str, url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let (wanted, rest) = match pattern.split_once("://") {
        Some((wanted, rest)) => (wanted, rest),
        None => ("", pattern),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (name, team) = rest.split_at(end);
    let name = name.split_once('@').map_or(name, |(_, name)| name);
    let same = |wanted: &str, there: &str| wanted.is_empty() || wanted == there;
    let team = team.trim_start_matches('/').trim_end_matches('/');
    same(wanted, scheme) && same(name, host) && same(team, path.trim_matches('/'))
}
