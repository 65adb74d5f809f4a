//! Which way a request takes: straight, or through which proxies in which order.
//!
//! It knows no health: whoever connects tries the hops in turn.

use crate::core::{
    config::Upstream,
    noproxy,
    origin::Origin,
    target::{Authority, Host},
};

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
    if rules.upstream.is_empty() || is_exempt(target, &rules.no_proxy) {
        return vec![Hop::Direct];
    }
    rules.upstream.iter().map(Hop::from).collect()
}

impl From<&Upstream> for Hop {
    fn from(upstream: &Upstream) -> Self {
        match upstream {
            Upstream::Direct => Self::Direct,
            Upstream::Via(origin) => Self::Via(origin.clone()),
        }
    }
}

/// Returns whether a target goes straight, whatever proxies there are.
pub fn is_exempt(target: &Authority, list: &str) -> bool {
    let host = match &target.host {
        Host::Address(address) => address.to_string(),
        Host::Name(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
    };
    noproxy::go(list, &host, target.port) || noproxy::curl(list, &host, target.port)
}

#[cfg(test)]
mod tests {
    use super::{Hop, Rules, route};
    use crate::core::{config::Upstream, target::Authority};

    #[test]
    fn the_upstreams_come_in_order_unless_either_reading_says_direct() {
        let upstream = |text| Upstream::parse(text).unwrap();
        let rules = Rules {
            upstream: vec![upstream("http://a:1"), upstream("DIRECT")],
            no_proxy: "*.corp.test, x.test".into(),
        };
        let hops = |target: &str| route(&Authority::parse(target).unwrap(), &rules);
        let shown = |hops: &[Hop]| hops.iter().map(|hop| format!("{hop:?}")).collect::<Vec<_>>();
        assert_eq!(hops("h:443").len(), 2);
        assert!(
            matches!(hops("h:443")[..], [Hop::Via(_), Hop::Direct]),
            "{:?}",
            shown(&hops("h:443"))
        );
        // Only Go reads the wildcard; both read the plain name, and what is below it.
        for direct in ["git.corp.test:443", "x.test:443", "y.x.test:443"] {
            assert_eq!(hops(direct), [Hop::Direct], "{direct}");
        }
        // Only curl splits a list at a blank.
        let blank =
            Rules { no_proxy: "one.test two.test".into(), upstream: vec![upstream("http://a:1")] };
        assert_eq!(route(&Authority::parse("two.test:443").unwrap(), &blank), [Hop::Direct]);
        // Go never asks a proxy for the machine itself, whatever the list says.
        assert_eq!(hops("127.0.0.1:443"), [Hop::Direct]);
        let none = Rules::default();
        assert_eq!(route(&Authority::parse("h:443").unwrap(), &none), [Hop::Direct]);
    }
}
