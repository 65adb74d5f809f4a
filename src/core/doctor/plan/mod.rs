//! Which probes follow from what is known: the whole order of a diagnosis, as data.

use std::collections::BTreeMap;

use crate::core::doctor::{
    leg::Leg,
    machine::Machine,
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
}

/// Returns the probes to run next, all at the same time; none: everything is known.
pub fn next(
    _target: &Target,
    _machine: &Machine,
    _wallet: &dyn Wallet,
    _answers: &Answers,
) -> Vec<Probe> {
    Vec::new()
}

/// Returns the requests that were followed so far.
pub(super) fn legs<'a>(
    _target: &Target,
    _machine: &Machine,
    _wallet: &dyn Wallet,
    _answers: &'a Answers,
) -> Vec<Leg<'a>> {
    Vec::new()
}
