//! What this machine shows for and against the codes that a text may mean: what its checks find, which proxy
//! and which login the tool would use for the URL in the text, what gocred keeps.
//!
//! Nothing here excludes a code: the text may come from another machine, or from a build log.

mod latent;
mod logins;
mod ways;

pub(super) use self::ways::THROUGH;

use std::collections::{BTreeMap, BTreeSet};

use crate::core::{
    doctor::{
        catalogue::{self, Entry},
        explain::about::About,
        finding::{Finding, Layer, Severity, Tool},
        machine::Machine,
        route::{self, Route, Via},
    },
    origin::Origin,
};

/// What a code gains where a check finds it here.
const SHOWN: i32 = 60;
/// The same for what is no fault by itself.
const HINTED: i32 = 40;
/// What a code loses that files would show, and they do not.
const NOT_SHOWN: i32 = -12;
/// What a code gains that gocred's daemon has seen lately.
const REPORTED: i32 = 30;
/// What it says where gocred's proxy answered the tool, and its daemon remembers a refusal of that host.
const TOLD: i32 = 100;
/// The same of a refusal that names no host, where the tool's way leads to that proxy: the later, the likelier.
const TOLD_OF_ALL: i32 = 60;

/// The codes beside E that files and variables decide.
const OF_FILES: &[&str] = &[
    "A16", "A17", "A18", "A19", "A23", "A24", "A25", "A26", "A27", "D06", "D11", "D15", "G01",
    "G02", "G08", "G09", "G10", "G11", "G12", "G26", "G27", "G28", "G29", "G30", "G31", "K01",
    "K02", "K04", "L01", "L02", "L03", "L05", "N07", "P09", "S06", "S07", "T21",
];
/// The codes of E that only the network decides, or another machine.
const NOT_OF_FILES: &[&str] = &["E06", "E08", "E09", "E25", "E48"];

/// What gocred and the system keep, as far as it can be known without asking a store or a person.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The proxies that the store has an account for.
    pub proxies: Vec<Origin>,
    /// The hosts that it has an account for.
    pub hosts: Vec<Origin>,
    /// Whether anybody's certificates are trusted at all, for the tool and URL of the text.
    pub has_roots: bool,
}

/// What a machine shows of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// What is wrong, about the user's own files. Without secrets.
    pub cause: String,
    /// What mends it; empty where nothing can be pasted.
    pub command: String,
}

/// What a machine shows.
#[derive(Debug, Default)]
pub struct Signs {
    findings: BTreeMap<&'static str, Finding>,
    points: BTreeMap<&'static str, i32>,
    /// What gocred's daemon has lately told, and how surely of what the text is about.
    told: BTreeMap<&'static str, i32>,
    /// Whose words the text is.
    tool: Option<Tool>,
    /// Whether a machine was looked at at all.
    is_read: bool,
}

impl Signs {
    /// Weighs a machine. `findings` are what its checks found for the target of the text.
    pub fn of(about: &About, machine: &Machine, kept: &Kept, findings: Vec<Finding>) -> Self {
        let mut signs = Self { is_read: true, tool: Some(about.tool), ..Self::default() };
        let route = about.link.as_ref().and_then(|link| route::route(about.tool, link, machine));
        let proven = latent::findings(about, machine, kept);
        for finding in findings.into_iter().chain(proven) {
            signs.findings.entry(finding.entry.code).or_insert(finding);
        }
        signs.hear(about, route.as_ref(), machine);
        latent::weigh(machine, &mut signs);
        if let Some(route) = &route {
            ways::weigh(route, machine, &mut signs);
            logins::weigh(route, machine, kept, &mut signs);
        }
        signs
    }

    /// What they add to a code.
    pub(super) fn points(&self, entry: &Entry) -> i32 {
        let points = self.points.get(entry.code).copied().unwrap_or(0);
        points
            + match self.findings.get(entry.code).map(|finding| finding.severity) {
                Some(Severity::Error | Severity::Warning) => SHOWN,
                Some(Severity::Info) => HINTED,
                None if self.is_read && is_of_files(entry) => NOT_SHOWN,
                None => 0,
            }
    }

    /// What gocred's daemon says for a code, where its proxy answered: what the tool then printed is a status of
    /// gocred's own, and says nothing more.
    pub(super) fn told(&self, code: &str) -> Option<i32> {
        self.told.get(code).copied()
    }

    /// The findings that concern the tool of the text, each with the codes that it explains. What is no fault by
    /// itself counts only where no tool has words for it.
    pub(super) fn causes(&self) -> impl Iterator<Item = (&'static Entry, &BTreeSet<&'static str>)> {
        let concerns = |finding: &&Finding| {
            let affects = &finding.affects;
            // git runs below go, and go's settings say where it looks.
            let is_below = self.tool == Some(Tool::Git) && affects.contains(&Tool::Go);
            let is_its = self.tool.is_some_and(|tool| affects.contains(&tool));
            let is_weak = finding.severity == Severity::Info;
            (affects.is_empty() || is_below || is_its)
                && !(is_weak && finding.entry.patterns().next().is_some())
        };
        self.findings.values().filter(concerns).map(|it| (it.entry, &it.suppresses))
    }

    /// What they show of a code.
    pub(super) fn here(&self, code: &str) -> Option<Here> {
        let finding = self.findings.get(code)?;
        Some(Here { cause: finding.cause.clone(), command: finding.fix.command.clone() })
    }

    /// Takes in what gocred's daemon has lately told, oldest first.
    fn hear(&mut self, about: &About, route: Option<&Route>, machine: &Machine) {
        let host = about.link.as_ref().map(|link| link.origin.host());
        let is_gocred = route.is_some_and(|route| leads_to_gocred(route, machine));
        for (age, (code, message)) in (0..).zip(machine.gocred.reported.iter().rev()) {
            let Some(entry) = catalogue::find(code) else { continue };
            self.add(REPORTED, &[entry.code]);
            let weight = match host {
                Some(host) if message.contains(host) => TOLD - age,
                _ if is_gocred => TOLD_OF_ALL - age,
                _ => continue,
            };
            let told = self.told.entry(entry.code).or_insert(weight);
            *told = weight.max(*told);
        }
    }

    fn add(&mut self, points: i32, codes: &[&'static str]) {
        for code in codes {
            *self.points.entry(code).or_default() += points;
        }
    }
}

fn is_of_files(entry: &Entry) -> bool {
    OF_FILES.contains(&entry.code)
        || entry.layer == Layer::Configuration && !NOT_OF_FILES.contains(&entry.code)
}

/// Returns whether a route leads to gocred's own proxy.
fn leads_to_gocred(route: &Route, machine: &Machine) -> bool {
    let is_it = |proxy: &route::Proxy| {
        let mut own = machine.gocred.listen.iter();
        own.any(|own| own.port() == proxy.port && own.ip().to_string() == proxy.host)
    };
    proxy(route).is_some_and(is_it)
}

/// Returns whether a route leads through a proxy.
fn proxy(route: &Route) -> Option<&route::Proxy> {
    match &route.via {
        Via::Proxy(proxy) => Some(proxy),
        Via::Direct | Via::Broken { .. } => None,
    }
}
