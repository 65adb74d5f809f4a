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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Target, Watch, asks_for_trace};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_requests_of_go_are_measured_and_their_lines_hidden() {
        let mut watch = Watch::default();
        let base = "https://goproxy.test/base/git.corp.test/!team/lib/@v";
        assert!(watch.line("go: downloading git.corp.test/Team/lib v1.0.0", ms(1)));
        assert!(!watch.line(&format!("# get {base}/v1.0.0.zip"), ms(2)));
        assert_eq!(watch.waits_for(), Some(format!("{base}/v1.0.0.zip").as_str()));
        assert!(!watch.line(&format!("# get {base}/v1.0.0.zip: 200 OK (0.100s)"), ms(102)));
        assert!(!watch.line("# get https://git.corp.test/x?go-get=1", ms(110)));
        let refused = "Get \"https://git.corp.test/x?go-get=1\": dial tcp: refused";
        let line = format!("# get https://git.corp.test/x?go-get=1: {refused}");
        assert!(!watch.line(&line, ms(120)));
        for step in [
            "mkdir -p /h/go/pkg/mod/cache/vcs # git3 https://h/x",
            "# lock /h/go/pkg/mod/cache/vcs/ab.lock",
            "cd /h/go/pkg/mod/cache/vcs/ab; git ls-remote -q --end-of-options origin",
            "0.003s # cd /h/go/pkg/mod/cache/vcs/ab; git ls-remote -q --end-of-options origin",
        ] {
            assert!(!watch.line(step, ms(121)), "{step}");
        }
        for kept in ["# example.com/x", "cd /tmp", "mkdir -p /tmp/x", "go: finding x", "1s # x y"] {
            assert_eq!(watch.line(kept, ms(121)), kept != "1s # x y", "{kept}");
        }
        let all = watch.slowest(9, ms(200));
        let shown: Vec<_> =
            all.iter().map(|it| (it.what.as_str(), it.stage, it.outcome.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("git.corp.test/Team/lib@v1.0.0", "zip", "200 OK"),
                ("git.corp.test/x", "go-import", "dial tcp: refused"),
            ]
        );
        assert_eq!(watch.downloads().len(), 1);
        // The body of the last answer may still be under way.
        assert_eq!(watch.waits_for(), Some(format!("{base}/v1.0.0.zip").as_str()));
    }

    #[test]
    fn the_steps_of_git_are_measured_without_its_passwords() {
        let mut watch = Watch::default();
        let start = r#"{"event":"child_start","sid":"A","child_id":0,"child_class":"remote-https","argv":["git","remote-https","origin","https://user:<REDACTED>@h.test/x.git"]}"#;
        watch.event(start, ms(5));
        assert_eq!(watch.waits_for(), Some("https://h.test/x.git"));
        let helper = r#"{"event":"child_start","sid":"A/B/C","child_id":3,"child_class":"?","argv":["git credential-store get"]}"#;
        watch.event(helper, ms(6));
        watch.event(r#"{"event":"child_exit","sid":"A/B/C","child_id":3,"code":0}"#, ms(46));
        watch.event(r#"{"event":"error","sid":"A/B/C","msg":"unable to access"}"#, ms(50));
        watch.event(r#"{"event":"child_exit","sid":"A","child_id":0,"code":128}"#, ms(55));
        watch.event("no JSON", ms(56));
        let all = watch.slowest(9, ms(60));
        let shown: Vec<_> =
            all.iter().map(|it| (it.stage, it.took.as_millis(), it.outcome.as_str())).collect();
        assert_eq!(shown, [("fetch", 50, "unable to access"), ("credential", 40, "")]);
        assert_eq!(watch.failing(), Some(Target::Url("https://h.test/x.git".into())));
    }

    #[test]
    fn a_failure_names_a_module_or_a_url_or_nobody() {
        let url = |url: &str| Some(Target::Url(url.into()));
        let module = |word: &str| Target::parse(word).ok();
        for (line, target) in [
            (
                "go: h.test/x@v1.0.0: reading https://p/h.test/x: 404 Not Found",
                module("h.test/x@v1.0.0"),
            ),
            ("\th.test/x: h.test/x@v1.2.0: Get \"http://p/x\": EOF", module("h.test/x@v1.2.0")),
            (
                "x.go:3:8: cannot find module providing package h.test/x/y: unrecognized",
                module("h.test/x/y"),
            ),
            (
                "fatal: unable to access 'https://a:b@h.test/x.git/': 403",
                url("https://h.test/x.git/"),
            ),
            ("curl: (22) Get \"https://h.test/y\": refused", url("https://h.test/y")),
            ("ssh: connect to host h.test port 22: Connection refused", url("ssh://h.test:22/")),
            ("git@h.test: Permission denied (publickey).", url("ssh://h.test/")),
            ("./x.go:3:2: undefined: https://h.test/x", None),
            ("see https://h.test/docs", None),
            ("# h.test/x@v1.0.0", None),
        ] {
            let mut watch = Watch::default();
            watch.line(line, ms(0));
            assert_eq!(watch.failing(), target, "{line}");
        }
        let mut watch = Watch::default();
        watch.line("go: x: Get \"h\": gocred[P02] the proxy says no", ms(0));
        assert_eq!(watch.code(), Some("P02"));
    }

    #[test]
    fn only_commands_that_compile_nothing_are_traced() {
        for (words, is_traced) in [
            (["mod", "tidy"].as_slice(), true),
            (&["-C", "x", "mod", "download"], true),
            (&["-C=x", "get", "h.test/x"], true),
            (&["list", "-m", "all"], true),
            (&["list", "./..."], false),
            (&["build", "./..."], false),
            (&[], false),
        ] {
            assert_eq!(asks_for_trace(words), is_traced, "{words:?}");
        }
    }
}
