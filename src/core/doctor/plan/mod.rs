//! Which probes follow from what is known: the whole order of a diagnosis, as data.
//!
//! Each time anew: `follow::Follower` goes the way of the tools from its beginning, reads what was answered,
//! and notes what it has no answer to. Those are the next probes; when there are none, the way is known.

pub(super) mod follow;
mod further;
pub(super) mod go_import;
pub(crate) mod goauth;
pub(super) mod helper;
mod here;
pub(super) mod module;
mod pack;
pub(super) mod real_git;
pub(in crate::core::doctor) mod redirect;
pub(super) mod second;
pub(super) mod spelling;
pub(in crate::core::doctor) mod ssh;
pub(super) mod sumdb;
#[cfg(test)]
mod tests;
mod url;

use std::collections::BTreeMap;

pub(super) use self::spelling::{chosen, is_newest, is_prefix, is_whole, version_of};
use crate::core::doctor::{
    checks,
    leg::Leg,
    machine::Machine,
    plan::follow::Follower,
    probe::{Probe, Seen},
    route::{Link, Login},
    target::Target,
};

/// What was asked and answered so far, by [`Probe::key`].
pub type Answers = BTreeMap<String, (Probe, Seen)>;

/// Where the credentials are that gocred itself would answer with.
pub trait Wallet {
    /// Returns gocred's credential for a URL, if it has one that it would release.
    fn login(&self, link: &Link) -> Option<Login>;
    /// Returns gocred's login for a proxy, `host:port`.
    fn proxy_login(&self, host: &str, port: u16) -> Option<Login>;
    /// Returns what kept it from giving one for a URL: a code, and what happened.
    fn trouble(&self, _link: &Link) -> Option<(&'static str, String)> {
        None
    }
}

/// Returns the probes to run next, all at the same time; none: everything is known.
pub fn next(
    target: &Target,
    machine: &Machine,
    wallet: &dyn Wallet,
    answers: &Answers,
) -> Vec<Probe> {
    let mut probes = followed(target, machine, wallet, answers).wanted;
    let mut keys = std::collections::BTreeSet::new();
    probes.retain(|probe| keys.insert(probe.key()));
    probes
}

/// Returns the requests that were followed so far.
pub(super) fn legs<'a>(
    target: &Target,
    machine: &'a Machine,
    wallet: &'a dyn Wallet,
    answers: &'a Answers,
) -> Vec<Leg<'a>> {
    followed(target, machine, wallet, answers).legs
}

fn followed<'a>(
    target: &Target,
    machine: &'a Machine,
    wallet: &'a dyn Wallet,
    answers: &'a Answers,
) -> Follower<'a> {
    let mut follower = Follower::new(machine, wallet, answers);
    match target {
        Target::Module { path, version } => {
            module::follow(&mut follower, path, version.as_deref());
        }
        Target::Url(url) => url::follow(&mut follower, url),
        Target::Here => here::follow(&mut follower),
    }
    let is_local =
        machine.go_setting("GOTOOLCHAIN").is_some_and(|(value, _)| value.raw() == "local");
    if let Some((version, _)) = checks::wanted_toolchain(target, machine).filter(|_| !is_local) {
        module::toolchain(&mut follower, &version);
    }
    further::ask(&mut follower);
    follower
}
