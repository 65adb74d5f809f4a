//! A finding: one diagnosed fact, with its evidence and what mends it. The text, the page and the JSON
//! are all made from it.

use std::collections::BTreeSet;

pub use crate::core::doctor::change::Change;
use crate::core::doctor::{catalogue::Entry, place::Place};

/// The grammar of the JSON.
pub const SCHEMA: u32 = 1;

/// Where on the way something is, in the order of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// E: files and variables.
    Configuration,
    /// D: names.
    Names,
    /// N: packets and connections.
    Transport,
    /// P: the corporate proxy.
    Proxy,
    /// T: certificates and handshakes.
    Tls,
    /// H: answers, gateways, portals.
    Http,
    /// A: who one is.
    Authentication,
    /// G: git, its helpers, other version control.
    Git,
    /// M: the module proxy's protocol.
    Module,
    /// S: the checksum database.
    Sumdb,
    /// L: disk, clock, limits.
    Local,
    /// K: gocred itself.
    Gocred,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// It works, and should be mended all the same.
    Warning,
    /// A tool fails because of it, or will.
    Error,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// One explanation of several.
    Possible,
    /// Others are hard to imagine.
    Likely,
    /// It was seen.
    Certain,
}

/// The programs whose way is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// cmd/go.
    Go,
    /// git, over libcurl.
    Git,
    /// curl, which stands for everything that reads the usual variables.
    Curl,
}

impl Tool {
    /// Returns how it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Git => "git",
            Self::Curl => "curl",
        }
    }
}

/// What kind of thing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A variable.
    Variable,
    /// A name server.
    Dns,
    /// A TCP connection.
    Tcp,
    /// CONNECT at a proxy.
    Connect,
    /// A TLS handshake.
    Tls,
    /// An HTTP answer.
    Http,
    /// A program that was run.
    Program,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was looked at.
    pub kind: Kind,
    /// Where.
    pub place: Place,
    /// What was there. Printable, without secrets.
    pub observed: String,
    /// What should be there; empty where the observation says enough.
    pub expected: String,
    /// How long it took, in milliseconds, where something was asked.
    pub took: Option<u64>,
}

/// What mends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fix {
    /// What is to be done, in a sentence.
    pub text: String,
    /// The one command to paste; empty where nothing can be pasted.
    pub command: String,
    /// What `--fix` does; empty where only a person can.
    pub changes: Vec<Change>,
}

/// One diagnosed fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its entry of the catalogue: code, title, layer, page.
    pub entry: &'static Entry,
    /// How bad it is here.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What happened, about the user's own hosts and files: one or two sentences. Without secrets.
    pub cause: String,
    /// What it was seen by.
    pub evidence: Vec<Evidence>,
    /// Whose fetch fails because of it.
    pub affects: BTreeSet<Tool>,
    /// What mends it.
    pub fix: Fix,
    /// The same, seen without gocred: a plain curl, git or dig command for the network team.
    pub reproduce: String,
    /// Codes of other findings that follow from this one.
    pub suppresses: BTreeSet<&'static str>,
    /// Whether it is seen to follow from no other.
    pub stands: bool,
    /// Codes from which it is seen not to follow, whatever those explain.
    pub apart: BTreeSet<&'static str>,
    /// What follows from it. [`crate::core::doctor::rank`] fills it in.
    pub consequences: Vec<Self>,
}

impl Finding {
    /// Starts a finding of severity error that was seen.
    pub fn new(entry: &'static Entry, cause: impl Into<String>) -> Self {
        Self {
            entry,
            severity: entry.severity,
            confidence: Confidence::Certain,
            cause: cause.into(),
            evidence: Vec::new(),
            affects: BTreeSet::new(),
            fix: Fix { text: entry.fix.to_owned(), ..Fix::default() },
            reproduce: String::new(),
            suppresses: BTreeSet::new(),
            stands: false,
            apart: BTreeSet::new(),
            consequences: Vec::new(),
        }
    }

    /// Says that it follows from nothing else, whatever another finding explains.
    #[must_use]
    pub fn stands(self) -> Self {
        Self { stands: true, ..self }
    }

    /// Adds an observation.
    #[must_use]
    pub fn seen(
        mut self,
        kind: Kind,
        place: Place,
        observed: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        let (observed, expected) = (observed.into(), expected.into());
        self.evidence.push(Evidence { kind, place, observed, expected, took: None });
        self
    }

    /// Says how long the last observation took, in milliseconds.
    #[must_use]
    pub fn took(mut self, took: u64) -> Self {
        if let Some(evidence) = self.evidence.last_mut() {
            evidence.took = Some(took);
        }
        self
    }

    /// Says how bad it is here.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Says how sure it is.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Says whose fetch fails.
    #[must_use]
    pub fn affects(mut self, tools: &[Tool]) -> Self {
        self.affects.extend(tools);
        self
    }

    /// Names the command that mends it.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.fix.command = command.into();
        self
    }

    /// Names a change that `--fix` makes. One that would write a password is none: a person takes the secret
    /// out of the file instead.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        if !change.holds_secret() && !self.fix.changes.contains(&change) {
            self.fix.changes.push(change);
        }
        self
    }

    /// Adds the changes of another finding to its own.
    #[must_use]
    pub fn with_changes_of(self, other: Self) -> Self {
        other.fix.changes.into_iter().fold(self, Self::change)
    }

    /// Names the command by which others see it.
    #[must_use]
    pub fn reproduce(mut self, command: impl Into<String>) -> Self {
        self.reproduce = command.into();
        self
    }

    /// Names what follows from it.
    #[must_use]
    pub fn explains(mut self, codes: &[&'static str]) -> Self {
        self.suppresses.extend(codes);
        self
    }
}

/// What one hop of the way did: what the terminal and the page draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// `this machine`, `proxy.corp.example:8080`, `git.corp.example:443`, …
    pub name: String,
    /// `names`, `tcp`, `connect`, `tls`, `http`, …
    pub stage: &'static str,
    /// How it went.
    pub state: State,
    /// In milliseconds.
    pub took: Option<u64>,
    /// A few words: an address, a status, an error.
    pub detail: String,
}

/// How a stage went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It went well.
    Passed,
    /// The way breaks here.
    Failed,
    /// It was not looked at, because something before it failed.
    Skipped,
}

/// The way of one tool to one URL, hop by hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Whose way.
    pub tool: Tool,
    /// Where to, without userinfo.
    pub url: String,
    /// The hops, in order.
    pub hops: Vec<Hop>,
}

/// What a tool decides for a URL, in words: what `--json` calls its route. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Whose.
    pub tool: Tool,
    /// Where to, without userinfo.
    pub url: String,
    /// `direct`, or the proxy.
    pub via: String,
    /// Where that is said.
    pub via_place: String,
    /// Whose credential the tool itself sends, and where it is: empty for none.
    pub login: String,
    /// The file of the certificates that it trusts in place of the system's; empty for none.
    pub trust: String,
}

/// The whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One that no other run has, to quote in a ticket.
    pub run_id: String,
    /// What was asked, without userinfo.
    pub target: String,
    /// The root comes first, then what does not follow from it, by severity; [`Finding::consequences`] hold the rest.
    pub findings: Vec<Finding>,
    /// The ways that were tried.
    pub chains: Vec<Chain>,
    /// What the tools decide for them.
    pub ways: Vec<Way>,
}
