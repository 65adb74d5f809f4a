//! `explain -`: which codes of the catalogue may stand behind what a tool printed. It computes only. A text
//! alone often fits many codes (twenty share `response 407`): how much a pattern says, how common a code is,
//! and what this machine shows are added up ([`signs`]).
//!
//! It deliberately sends nothing and asks nobody: a text may come from anywhere.

pub mod about;
mod challenges;
mod dialect;
mod frame;
mod hop;
pub mod names;
mod pattern;
mod phrase;
mod said;
pub mod signs;
mod trace;

use std::{cmp::Reverse, collections::BTreeSet};

use self::{said::Said, signs::Signs};
use crate::core::doctor::catalogue::{ENTRIES, Entry};

pub use self::pattern::shown;

/// How many candidates are named.
const NAMED: usize = 3;

/// What a code weighs that gocred itself named in the text: more than all else together.
const OWN: i32 = 1000;

/// What a tool prints of the answers that gocred's own proxy gives.
const OF_GOCRED: &[&str] = &[
    "response 502",
    "response 503",
    "response 504",
    "response 403",
    ": Bad Gateway",
    ": Gateway Timeout",
    ": Service Unavailable",
    ": Forbidden",
];

/// A possible cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its page.
    pub entry: &'static Entry,
    /// The pattern that matched; empty where nothing was printed. It holds no word of the text itself,
    /// which may be secret.
    pub pattern: &'static str,
    /// What this machine's files or variables show of it, where they do.
    pub here: Option<signs::Here>,
    /// What the pattern says.
    weight: i32,
    /// All that speaks for it.
    score: i32,
}

/// What a text may mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The likeliest, at most three.
    pub candidates: Vec<Candidate>,
    /// The other codes that print the same as one of these: only a look at the machine and the network
    /// tells them apart.
    pub same: Vec<&'static Entry>,
    /// How many codes print words of the first one, itself among them, and no other word decides. With more than one
    /// the text alone does not tell.
    pub alike: usize,
}

/// Explains a text, on a machine that shows what `signs` say.
pub fn explain(text: &str, signs: &Signs) -> Explanation {
    let said = Said::of(text);
    let challenged = challenges::named(text);
    let traced = trace::points(text);
    let mut found: Vec<Candidate> =
        ENTRIES.iter().filter_map(|entry| candidate(entry, &said, signs)).collect();
    let behind: Vec<Candidate> = signs
        .causes()
        .filter_map(|(code, explained)| behind(code, explained, &found, signs))
        .collect();
    for it in behind {
        found.retain(|other| other.entry != it.entry || other.score > it.score);
        if found.iter().all(|other| other.entry != it.entry) {
            found.push(it);
        }
    }
    let shown =
        |code| challenges::points(&challenged, code) + traced.get(code).copied().unwrap_or(0);
    for it in &mut found {
        it.score += shown(it.entry.code);
    }
    found.sort_by_key(|it| (Reverse(it.score), Reverse(it.entry.common), it.entry.code));
    // What a verbose text shows decides.
    let first = found.first().filter(|first| shown(first.entry.code) <= 0);
    let alike = first.map_or(1, |first| alike(first, &found));
    let others = found.split_off(found.len().min(NAMED));
    let printed: BTreeSet<&str> = found.iter().map(|it| it.pattern).collect();
    // What is printed holds the words of those codes, too.
    let is_same = |it: &&Candidate| printed.iter().any(|other| other.contains(it.pattern));
    let same = others.iter().filter(is_same).map(|it| it.entry).collect();
    Explanation { candidates: found, same, alike }
}

/// Returns how many codes print the same words as the first one, in those words that most of them print.
fn alike(first: &Candidate, found: &[Candidate]) -> usize {
    let shared = |pattern: &str| found.iter().filter(|it| it.pattern == pattern).count();
    let own = first.entry.patterns().filter(|(_, pattern)| *pattern != first.pattern);
    let others = own.map(|(_, pattern)| shared(pattern) + 1);
    others.max().unwrap_or(0).max(shared(first.pattern))
}

fn candidate(entry: &'static Entry, said: &Said, signs: &Signs) -> Option<Candidate> {
    let matching = entry.patterns().filter(|(printer, pattern)| match *printer {
        "silent" => said.is_silent,
        "downloading" => said.is_silent && said.has_downloads,
        // A name that ran into the next word is no sign where lines were put together.
        _ if pattern.contains("{joined}") => pattern::matches(&said.text, pattern),
        _ => said.says(|text| pattern::matches(text, pattern)),
    });
    let weighed = matching.map(|(printer, pattern)| (pattern::weight(printer, pattern), pattern));
    let own = said.own.contains(entry.code).then_some((OWN, "gocred[…]"));
    let status = OF_GOCRED.iter().find(|status| said.says(|text| text.contains(**status)));
    let told = status.and_then(|status| Some((signs.told(entry.code)?, *status)));
    let (weight, pattern) = weighed.chain(own).chain(told).max_by_key(|(weight, _)| *weight)?;
    let score = weight + 2 * i32::from(entry.common) + signs.points(entry);
    Some(Candidate { entry, pattern, here: signs.here(entry.code), weight, score })
}

/// A cause that stands in this machine's files: no tool prints it in words of its own, but what it makes fail is
/// among what the text may mean.
fn behind(
    entry: &'static Entry,
    explained: &BTreeSet<&str>,
    found: &[Candidate],
    signs: &Signs,
) -> Option<Candidate> {
    let effects = found.iter().filter(|it| explained.contains(it.entry.code));
    let effect = effects.max_by_key(|it| it.weight)?;
    let score = effect.weight + 2 * i32::from(entry.common) + signs.points(entry);
    let here = signs.here(entry.code);
    Some(Candidate { entry, pattern: effect.pattern, here, weight: effect.weight, score })
}

#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod tests;
