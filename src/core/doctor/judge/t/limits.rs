//! T16 and T12 of git's own making: `http.sslVersion` and `http.sslCipherList` offer less than the server needs.
//! The handshake was made without those limits.

use super::handshake;
use crate::core::doctor::{
    checks,
    finding::{Confidence, Finding, Kind, Tool},
    judge::{Case, say},
    leg::{Leg, Why},
    machine::Machine,
    probe::{Tls, TlsFlaw, Twist},
    shell::quoted,
    tls_limits::{self, Limit, Suites},
};

/// What git cannot come to behind a handshake that fails.
const BEHIND: &[&str] = &["T01", "T02", "T03", "T04", "T05", "T07", "T09", "T20"];

/// Judges a handshake of ours that git would not have made.
pub(super) fn finding(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let tls = leg.seen.tls.as_ref().filter(|tls| leg.tool == Tool::Git && tls.flaw.is_none())?;
    let (machine, url) = (case.machine, leg.asked.link.to_string());
    if let Some((13, limit)) = tls_limits::oldest(machine, &url)
        && tls.version == "TLSv1.2"
    {
        let reason = format!(
            "{} lets git speak TLS {} and newer only; {} speaks nothing newer than TLS 1.2.",
            said("http.sslVersion", &limit),
            limit.value.raw().trim_start_matches("tlsv"),
            leg.host()
        );
        return Some(of_limit(leg, tls, reason, ("http.sslVersion", &limit), machine));
    }
    if let Some(limit) = tls_limits::ancient(machine, &url) {
        let reason = format!(
            "{} wants a version of SSL that git's TLS library does not have any more.",
            said("http.sslVersion", &limit)
        );
        return Some(of_limit(leg, tls, reason, ("http.sslVersion", &limit), machine));
    }
    let (suites, limit) = tls_limits::suites(machine, &url)?;
    let Suites::These(codes) = suites else { return None };
    let name = ("http.sslCipherList", &limit);
    let said = said(name.0, &limit);
    if codes.is_empty() {
        let reason = format!(
            "{said} names no cipher suite that git's TLS library has: it begins no handshake."
        );
        return Some(of_limit(leg, tls, reason, name, machine));
    }
    let also = leg.also(Why::Twist(Twist::OwnSuites))?.seen.tls.as_ref()?;
    if !matches!(also.flaw, Some(TlsFlaw::Alert(_) | TlsFlaw::Closed | TlsFlaw::Reset)) {
        return None;
    }
    let reason =
        format!("{} takes none of the cipher suites that {said} leaves to git.", leg.host());
    Some(of_limit(leg, also, reason, name, machine))
}

/// Adds to a finding about an old server that git is told not to speak its version, or that git's library does
/// speak it.
pub(super) fn old(leg: &Leg<'_>, mut finding: Finding, machine: &Machine) -> Finding {
    use crate::core::doctor::{finding::Severity, machine::Library};
    if leg.tool != Tool::Git || finding.entry.code != "T12" {
        return finding;
    }
    let limit = tls_limits::oldest(machine, &leg.asked.link.to_string());
    if let Some((12.., limit)) = limit {
        let observed = format!("http.sslVersion={}", limit.value);
        return finding.confidence(Confidence::Certain).seen(
            Kind::File,
            limit.place,
            observed,
            "the version of the server",
        );
    }
    if machine.git_library != Some(Library::GnuTls) {
        return finding;
    }
    // GnuTLS offers TLS 1.0 and 1.1 still, where nobody forbids it (its priority NORMAL).
    finding.affects.remove(&Tool::Git);
    finding.affects.extend([Tool::Go, Tool::Curl]);
    finding.cause.push_str(" The git of this machine is one: it is built with GnuTLS.");
    finding.severity(Severity::Warning)
}

fn of_limit(
    leg: &Leg<'_>,
    tls: &Tls,
    cause: String,
    (name, limit): (&str, &Limit<'_>),
    machine: &Machine,
) -> Finding {
    let observed = match &tls.flaw {
        Some(flaw) => say::handshake(flaw),
        None => tls.version.clone(),
    };
    let url = leg.url();
    let repository = url.split("/info/refs?").next().unwrap_or_default();
    let finding = handshake::base(leg, "T16", cause, &observed, "a handshake within git's limits")
        .took(tls.took)
        .seen(Kind::File, limit.place.clone(), format!("{name}={}", limit.value), "not set")
        .reproduce(format!("GIT_CURL_VERBOSE=1 git ls-remote {}", quoted(repository)))
        .explains(BEHIND);
    match limit.setting {
        Some(setting) => checks::take_away(machine, finding, setting),
        None => finding.run(format!("unset {}", limit.place.to_string().trim_start_matches('$'))),
    }
}

fn said(name: &str, limit: &Limit<'_>) -> String {
    match limit.setting {
        Some(_) => format!("{name}={} ({})", limit.value, limit.place),
        None => format!("{} ({})", limit.place, limit.value),
    }
}
