//! The ways as they are drawn: from this machine to what was asked for, hop by hop, and where it breaks.

use crate::core::doctor::{
    finding::{Chain, Hop, State},
    judge::{n, say},
    leg::{Failed, Leg},
};

/// Returns a chain for each leg; of several requests that went the same way, the first and those that failed.
pub(super) fn of(legs: &[Leg<'_>]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut ways = std::collections::BTreeSet::new();
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
    let failed = leg.failed();
    let seen = &leg.seen;
    let mut hops = Vec::new();
    let mut is_broken = false;
    let mut push =
        |name: &str, stage, is_here: bool, fails: bool, took: Option<u64>, detail: String| {
            let state = match (is_broken, is_here, fails) {
                (true, ..) | (_, false, false) => State::Skipped,
                (_, _, true) => State::Failed,
                (..) => State::Passed,
            };
            is_broken |= state == State::Failed;
            hops.push(Hop { name: name.to_owned(), stage, state, took, detail });
        };
    let addresses = match &seen.names {
        Some(Ok(addresses)) => addresses.first().map(ToString::to_string).unwrap_or_default(),
        Some(Err(error)) => error.clone(),
        None => String::new(),
    };
    if seen.names.is_some() {
        push(
            &dialled,
            "names",
            true,
            matches!(failed, Some(Failed::Names(_))),
            leg.names.map(|names| names.took),
            addresses,
        );
    }
    let good = seen.tcp.iter().find(|(_, stage)| stage.flaw.is_none()).or_else(|| seen.tcp.last());
    let detail = good.map_or_else(String::new, |(address, stage)| match stage.flaw {
        None => address.to_string(),
        Some(flaw) => n::words(flaw).to_owned(),
    });
    push(
        &dialled,
        "tcp",
        good.is_some(),
        matches!(failed, Some(Failed::Tcp(_))),
        good.map(|(_, stage)| stage.took),
        detail,
    );
    if leg.proxy().is_some() {
        if let Some(tls) = &seen.proxy_tls {
            push(
                &dialled,
                "tls",
                true,
                matches!(failed, Some(Failed::ProxyTls(_))),
                Some(tls.took),
                tls.version.clone(),
            );
        }
        if leg.asked.link.origin.scheme() == "https" || seen.connect.is_some() {
            let connect = seen.connect.as_ref();
            let detail = connect.map_or_else(String::new, |connect| match &connect.flaw {
                Some(flaw) => say::flaw(flaw),
                None => say::status(connect.status, &connect.reason),
            });
            push(
                &dialled,
                "connect",
                connect.is_some(),
                matches!(failed, Some(Failed::Connect(_))),
                connect.map(|connect| connect.took),
                detail,
            );
        }
    }
    if leg.asked.link.origin.scheme() == "https" {
        let tls = seen.tls.as_ref();
        let detail = tls.map_or_else(String::new, |tls| match (&tls.flaw, &tls.verdict) {
            (Some(flaw), _) => format!("{flaw:?}"),
            (None, Some(Err(flaw))) => format!("{flaw:?}"),
            (None, _) => tls.version.clone(),
        });
        push(
            &origin,
            "tls",
            tls.is_some(),
            matches!(failed, Some(Failed::Tls(_))),
            tls.map(|tls| tls.took),
            detail,
        );
    }
    if ["http", "https"].contains(&leg.asked.link.origin.scheme()) {
        let http = seen.http.as_ref();
        let detail = http.map_or_else(String::new, |http| match &http.flaw {
            Some(flaw) => say::flaw(flaw),
            None => say::status(http.status, &http.reason),
        });
        push(
            &origin,
            "http",
            http.is_some(),
            matches!(failed, Some(Failed::Http(_))),
            http.map(|http| http.took),
            detail,
        );
    }
    Chain { tool: leg.tool, url: leg.url(), hops }
}
