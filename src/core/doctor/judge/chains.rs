//! The ways as they are drawn: from this machine to what was asked for, hop by hop, and where it breaks.

use std::collections::BTreeSet;

use crate::core::doctor::{
    finding::{Chain, Hop, State},
    judge::{n, say},
    leg::{Failed, Leg},
    probe::{Connect, Http, Tls, Trace},
};

/// Returns a chain for each leg; of several requests that went the same way, the first and those that failed.
pub(super) fn of(legs: &[Leg<'_>]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut ways = BTreeSet::new();
    for leg in legs {
        let is_new = ways.insert((leg.tool, leg.endpoint(), leg.origin_endpoint()));
        if is_new || leg.failed().is_some() {
            chains.push(chain(leg));
        }
    }
    chains
}

fn chain(leg: &Leg<'_>) -> Chain {
    let (dialled, origin) = (leg.endpoint(), leg.origin_endpoint());
    let (failed, seen) = (leg.failed(), &leg.seen);
    let scheme = leg.asked.link.origin.scheme();
    let mut hops = Hops::default();
    if seen.names.is_some() {
        let fails = matches!(failed, Some(Failed::Names(_)));
        let took = leg.names.map(|names| names.took);
        hops.push(&dialled, "names", fails, Some(Look { took, detail: address(seen) }));
    }
    hops.push(&dialled, "tcp", matches!(failed, Some(Failed::Tcp(_))), tcp(seen));
    if leg.proxy().is_some() {
        if let Some(tls) = &seen.proxy_tls {
            let fails = matches!(failed, Some(Failed::ProxyTls(_)));
            hops.push(&dialled, "tls", fails, Some(self::tls(tls)));
        }
        if scheme == "https" || seen.connect.is_some() {
            let fails = matches!(failed, Some(Failed::Connect(_)));
            hops.push(&dialled, "connect", fails, seen.connect.as_ref().map(connect));
        }
    }
    if scheme == "https" {
        hops.push(
            &origin,
            "tls",
            matches!(failed, Some(Failed::Tls(_))),
            seen.tls.as_ref().map(tls),
        );
    }
    if ["http", "https"].contains(&scheme) {
        let fails = matches!(failed, Some(Failed::Http(_)));
        hops.push(&origin, "http", fails, seen.http.as_ref().map(http));
    }
    Chain { tool: leg.tool, url: leg.url(), hops: hops.hops }
}

/// What was seen of a stage.
struct Look {
    took: Option<u64>,
    detail: String,
}

impl Look {
    fn new(took: u64, detail: String) -> Self {
        Self { took: Some(took), detail }
    }
}

/// The hops so far. Behind the one that failed nothing was looked at.
#[derive(Default)]
struct Hops {
    hops: Vec<Hop>,
    is_broken: bool,
}

impl Hops {
    fn push(&mut self, name: &str, part: &'static str, fails: bool, seen: Option<Look>) {
        let fails = fails && !self.is_broken;
        let passes = seen.is_some() && !self.is_broken;
        self.is_broken |= fails;
        let Look { took, detail } = seen.unwrap_or(Look { took: None, detail: String::new() });
        let state = match (fails, passes) {
            (true, _) => State::Failed,
            (false, true) => State::Passed,
            (false, false) => State::Skipped,
        };
        self.hops.push(Hop { name: name.to_owned(), stage: part, state, took, detail });
    }
}

fn address(seen: &Trace) -> String {
    match &seen.names {
        Some(Ok(addresses)) => addresses.first().map(ToString::to_string).unwrap_or_default(),
        Some(Err(error)) => error.clone(),
        None => String::new(),
    }
}

/// The address that was connected to, else the last that was tried.
fn tcp(seen: &Trace) -> Option<Look> {
    let connected = seen.tcp.iter().find(|(_, stage)| stage.flaw.is_none());
    let (address, stage) = connected.or_else(|| seen.tcp.last())?;
    let detail = match stage.flaw {
        None => address.to_string(),
        Some(flaw) => n::words(flaw).to_owned(),
    };
    Some(Look::new(stage.took, detail))
}

fn connect(connect: &Connect) -> Look {
    let detail = match &connect.flaw {
        Some(flaw) => say::flaw(flaw),
        None => say::status(connect.status, &connect.reason),
    };
    Look::new(connect.took, detail)
}

fn tls(tls: &Tls) -> Look {
    Look::new(tls.took, say::tls(tls).unwrap_or_else(|| tls.version.clone()))
}

fn http(http: &Http) -> Look {
    let detail = match &http.flaw {
        Some(flaw) => say::flaw(flaw),
        None => say::status(http.status, &http.reason),
    };
    Look::new(http.took, detail)
}
