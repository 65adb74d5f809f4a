//! D11 of git's own hosts file: `http.curloptResolve` leads git somewhere else than DNS does, and there it does not
//! work.

use super::list;
use crate::core::doctor::{
    catalogue::entry,
    checks,
    finding::{Confidence, Finding, Kind, Severity},
    judge::Case,
    leg::{Failed, Leg, Why, failed},
    probe::Trace,
    route::Pinned,
    shell::quoted,
};

/// Judges a request that was sent to the addresses of the setting. What fails in the same way by DNS is no fault
/// of the setting.
pub(super) fn finding(leg: &Leg<'_>, pinned: &Pinned, case: &Case<'_>) -> Option<Finding> {
    leg.failed()?;
    let other = leg.also(Why::Unpinned)?.seen;
    let is_off = leg.asked.trust.is_off;
    let reached = |trace: &Trace| stage(failed(trace, leg.purpose, is_off));
    let told = leg.names.and_then(|names| names.system.as_ref().ok());
    let is_other =
        told.is_some_and(|told| pinned.addresses.iter().all(|address| !told.contains(address)));
    let is_blamed = is_other && reached(other) > reached(&leg.seen);
    if !is_blamed && !matches!(leg.failed(), Some(Failed::Tcp(_))) {
        return None;
    }
    let (dialled, place) = (leg.endpoint(), &pinned.place);
    let (pins, told) = (list(&pinned.addresses), list(told.into_iter().flatten()));
    let reason = match told.as_str() {
        "" => format!(
            "{place} (http.curloptResolve) says that git finds {dialled} at {pins}; DNS knows no address of it."
        ),
        told if is_blamed => format!(
            "{place} (http.curloptResolve) says that git finds {dialled} at {pins}; DNS says {told}, and there \
             it goes on."
        ),
        told => format!(
            "{place} (http.curloptResolve) says that git finds {dialled} at {pins}; DNS says {told}, where it \
             fails as well."
        ),
    };
    let host = dialled.rsplit_once(':').map_or(dialled.as_str(), |(host, _)| host);
    let finding = Finding::new(entry("D11"), reason)
        .affects(&leg.affects())
        .seen(Kind::File, place.clone(), format!("{dialled} at {pins}"), told)
        .reproduce(format!(
            "git config --show-origin --get-all http.curloptResolve; dig {} A",
            quoted(host)
        ));
    let finding =
        if is_blamed { finding.explains(FOLLOWS) } else { finding.severity(Severity::Info) };
    let is_sure = matches!(leg.failed(), Some(Failed::Tcp(_)));
    let finding =
        finding.confidence(if is_sure { Confidence::Certain } else { Confidence::Likely });
    let mut values = case.machine.git_config.iter();
    let value = values.find(|value| value.place == *place && value.key.ends_with("resolve"));
    Some(match value {
        Some(value) => checks::take_away(case.machine, finding, value),
        None => finding,
    })
}

/// What a server that is not the one that was meant may end in.
const FOLLOWS: &[&str] = &[
    "N01", "N02", "N03", "N04", "N05", "P27", "P28", "P19", "P18", "P17", "P21", "P31", "T01",
    "T02", "T03", "T04", "T05", "T07", "T08", "T12", "T14", "T15", "T16", "T17", "T18", "T19",
    "T20", "H01", "H02", "H04", "H05", "H07", "H08", "H15", "H16", "H17", "H18", "H19", "H20",
    "H21", "H22", "H24", "A02", "A04", "G07", "G20", "G21", "G22",
];

/// How far it came. An answer that asks who one is is as good as one that is whole.
fn stage(failed: Option<Failed<'_>>) -> u8 {
    match failed {
        Some(Failed::Names(_)) => 0,
        Some(Failed::Tcp(_)) => 1,
        Some(Failed::ProxyTls(_)) => 2,
        Some(Failed::Connect(_)) => 3,
        Some(Failed::Tls(_)) => 4,
        Some(Failed::Http(http)) if http.flaw.is_none() && http.status == Some(401) => 6,
        Some(Failed::Http(_)) => 5,
        None => 6,
    }
}
