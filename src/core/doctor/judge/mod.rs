//! What the probes mean: findings, and the ways as they are drawn.
//!
//! One file a letter of the catalogue. Each looks at one leg at a time, and speaks only of the stage that is
//! its own: `d` of names and `n` of TCP where no proxy is dialled, `p` of everything up to the end of CONNECT
//! where one is, `t` of TLS to the origin, `h` of statuses and broken answers of Meta, Repository and Plain, `a`
//! of 401, 403 and masked 404 where a login plays a part, `g` of go-import and of what a repository answers with
//! 200, `m` of the module proxy's protocol, `s` of the checksum database, `e` of settings that only the network
//! shows to be wrong. A letter that is not sure leaves a leg to the others.

mod a;
mod d;
mod e;
mod g;
mod h;
#[cfg(test)]
mod hand;
mod m;
mod n;
mod p;
mod s;
mod t;

use crate::core::doctor::{
    finding::{Chain, Finding},
    leg::Leg,
    machine::Machine,
    plan::{self, Answers, Wallet},
    target::Target,
};

/// What a judge may look at beside a leg.
pub(super) struct Case<'a> {
    /// What was asked.
    pub(super) target: &'a Target,
    /// The machine.
    pub(super) machine: &'a Machine,
    /// What gocred itself would answer with.
    pub(super) wallet: &'a dyn Wallet,
    /// Every answer, also of programs that were run.
    pub(super) answers: &'a Answers,
    /// Every leg, in the order in which they were followed.
    pub(super) legs: &'a [Leg<'a>],
}

/// Returns what was found and the ways that were followed.
pub fn all(
    target: &Target,
    machine: &Machine,
    wallet: &dyn Wallet,
    answers: &Answers,
) -> (Vec<Finding>, Vec<Chain>) {
    let legs = plan::legs(target, machine, wallet, answers);
    let case = Case { target, machine, wallet, answers, legs: &legs };
    let mut findings = Vec::new();
    for leg in case.legs.iter().filter(|leg| leg.decides) {
        let judges = [
            e::findings,
            d::findings,
            n::findings,
            p::findings,
            t::findings,
            h::findings,
            a::findings,
            g::findings,
            m::findings,
            s::findings,
        ];
        for judge in judges {
            findings.extend(judge(leg, &case));
        }
    }
    (findings, Vec::new())
}
