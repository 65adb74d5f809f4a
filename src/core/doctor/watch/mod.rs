//! What a command that runs shows of its requests: which are open, which have ended and when, and whom a
//! failure names. It reads what go prints and what git traces; it knows no process and no clock, every
//! moment is given in seconds since the command began.
//!
//! It measures requests, not programs: how long a compiler took is not asked.

mod git;
mod go;
mod named;

use std::{collections::BTreeMap, time::Duration};

use crate::core::doctor::target::Target;

pub use self::go::asks_for_trace;

/// At most so many requests are kept, lest a command that runs for days fills the memory.
const MOST: usize = 20_000;

/// A request, or a step of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// A module with its version, or a place without scheme and userinfo.
    pub what: String,
    /// `zip`, `info`, `list`, `go-import`, `fetch`, `credential`, …
    pub stage: &'static str,
    /// When it began, in the time of the command.
    pub began: Duration,
    /// How long it took; of one that is open, so far.
    pub took: Duration,
    /// What it came to; empty where that was not said.
    pub outcome: String,
}

/// An open request.
#[derive(Clone, Debug)]
struct Open {
    what: String,
    stage: &'static str,
    began: Duration,
    /// What to diagnose when it hangs.
    url: String,
    /// What it came to, as far as that is known before its end.
    outcome: String,
}

/// A module that go says it downloads; its end is seen in the module cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// When go said so.
    pub began: Duration,
}

/// What is known of a command's requests.
#[derive(Debug, Default)]
pub struct Watch {
    /// By the URL for go's, by process and number for git's.
    open: BTreeMap<String, Open>,
    done: Vec<Stage>,
    downloads: Vec<Download>,
    /// The URL of the last answer that go got: its body may be what hangs.
    last: Option<String>,
    /// The repository that each tree of git processes asks.
    asked: BTreeMap<String, String>,
    named: named::Named,
}

impl Watch {
    /// Takes a line of standard error, without its end. `false`: it is of go's `-x`, which the person did
    /// not ask for.
    pub fn line(&mut self, line: &str, now: Duration) -> bool {
        if go::read(self, line, now) {
            return false;
        }
        self.named.read(line);
        true
    }

    /// Takes a line of git's trace (`GIT_TRACE2_EVENT`).
    pub fn event(&mut self, line: &str, now: Duration) {
        git::read(self, line, now);
    }

    /// Returns what a command that has gone silent waits for: its oldest open request, or else the last
    /// answer, whose body is being read.
    pub fn waits_for(&self) -> Option<&str> {
        let oldest = self.open.values().min_by_key(|open| open.began);
        oldest.map(|open| open.url.as_str()).or(self.last.as_deref())
    }

    /// Returns the code of gocred's own that stood in the output, the first one.
    pub fn code(&self) -> Option<&str> {
        self.named.code.as_deref()
    }

    /// Returns what the output names as failing: a module before a URL, because its way holds more.
    pub fn failing(&self) -> Option<Target> {
        let of_git = || Some(Target::Url(self.asked.values().next_back()?.clone()));
        self.named.target().or_else(of_git)
    }

    /// Returns the modules that go downloads.
    pub fn downloads(&self) -> &[Download] {
        &self.downloads
    }

    /// Notes a step that was measured elsewhere.
    pub fn measured(&mut self, stage: Stage) {
        if self.done.len() < MOST {
            self.done.push(stage);
        }
    }

    /// Returns what took longest, the slowest first; what is still open counts until now.
    pub fn slowest(&self, most: usize, now: Duration) -> Vec<Stage> {
        let open = self.open.values().map(|open| open.ended(now, "no answer yet"));
        let mut all: Vec<Stage> = self.done.iter().cloned().chain(open).collect();
        all.sort_by(|a, b| b.took.cmp(&a.took).then_with(|| a.what.cmp(&b.what)));
        all.truncate(most);
        all
    }

    fn begin(&mut self, key: String, open: Open) {
        if self.open.len() < MOST {
            self.open.entry(key).or_insert(open);
        }
    }

    fn end(&mut self, key: &str, now: Duration, outcome: &str) {
        if let Some(open) = self.open.remove(key) {
            self.measured(open.ended(now, outcome));
        }
    }
}

impl Open {
    fn ended(&self, now: Duration, outcome: &str) -> Stage {
        let said = if self.outcome.is_empty() { outcome } else { &self.outcome };
        Stage {
            what: self.what.clone(),
            stage: self.stage,
            began: self.began,
            took: now.saturating_sub(self.began),
            outcome: said.to_owned(),
        }
    }
}

/// Returns a URL without scheme and userinfo, and what a diagnosis takes for it.
fn place(url: &str) -> Option<(String, String)> {
    let Ok(Target::Url(url)) = Target::parse(url) else { return None };
    let (_, rest) = url.split_once("://")?;
    Some((rest.trim_end_matches('/').to_owned(), url))
}
