//! TLS to the origin: handshakes that fail, and certificates that are not taken.
//!
//! In a tunnel, what is not TLS and what is reset is the proxy's doing, and `p` speaks of it. TLS to an
//! `https://` proxy is `p`'s, too; a clock that is wrong is found here, because certificates show it first.

mod certificate;
mod handshake;
mod inspector;
mod limits;

use crate::core::doctor::{
    finding::{Confidence, Finding, Severity, Tool},
    judge::Case,
    leg::{Failed, Leg},
    route::git_config,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    let found = match leg.failed() {
        Some(Failed::Tls(tls)) => match (&tls.flaw, &tls.verdict) {
            // A server that ends the session because it wants a certificate has shown a good one.
            (None, Some(Err(flaw))) => Some(certificate::finding(leg, tls, flaw, case)),
            (Some(flaw), Some(Err(bad))) if !tls.asks_for_certificate => {
                // The other end's library may have been told first: ours goes on.
                Some(certificate::finding(leg, tls, bad, case))
            }
            (Some(flaw), _) => handshake::finding(leg, tls, flaw)
                .map(|finding| limits::old(leg, finding, case.machine)),
            (None, _) => None,
        },
        Some(Failed::Http(http)) => handshake::late(leg, http),
        _ => None,
    };
    let found = found.map(|finding| shown(leg, finding, case)).into_iter();
    found.chain(limits::finding(leg, case)).collect()
}

/// git has a certificate to show, which was not shown here: whether the server takes it is not known.
fn shown(leg: &Leg<'_>, finding: Finding, case: &Case<'_>) -> Finding {
    if finding.entry.code != "T13" || leg.tool != Tool::Git {
        return finding;
    }
    let (machine, url) = (case.machine, leg.asked.link.to_string());
    let setting = git_config::best(&machine.git_config, ("http", "sslcert"), &url);
    if machine.variable("GIT_SSL_CERT").is_none() && setting.is_none() {
        return finding;
    }
    let mut finding = finding.severity(Severity::Info).confidence(Confidence::Possible);
    finding.affects = [Tool::Go].into();
    finding
}

/// Returns the command by which others see a handshake.
fn openssl(leg: &Leg<'_>) -> String {
    let host = leg.host();
    let endpoint = leg.origin_endpoint();
    let proxy = leg
        .proxy()
        .filter(|proxy| proxy.scheme == "http")
        .map(|proxy| format!(" -proxy {}:{}", proxy.host, proxy.port))
        .unwrap_or_default();
    format!("openssl s_client -connect {endpoint} -servername {host}{proxy} -showcerts </dev/null")
}

#[cfg(test)]
mod tests;
