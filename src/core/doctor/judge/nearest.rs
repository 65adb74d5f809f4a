//! A leg that failed and that nobody explains: the nearest code, as one explanation of several. A diagnosis
//! never says that all is well when a tool fails.

use crate::core::doctor::{
    finding::{Confidence, Finding, Kind, Severity},
    judge::say,
    leg::{Failed, Leg, Purpose},
    place::Place,
    probe::{Http, ReadFlaw},
};

/// Returns the finding.
pub(super) fn finding(leg: &Leg<'_>) -> Option<Finding> {
    let place = leg.origin_endpoint();
    let (code, cause, kind, observed) = match leg.failed()? {
        Failed::Names(error) => {
            ("D01", format!("{} has no address.", leg.endpoint()), Kind::Dns, error.to_owned())
        }
        Failed::Tcp(_) => (
            "N01",
            format!("{} cannot be connected to.", leg.endpoint()),
            Kind::Tcp,
            "no connection".to_owned(),
        ),
        Failed::ProxyTls(tls) => (
            "P31",
            format!("The TLS handshake with the proxy {} fails.", leg.endpoint()),
            Kind::Tls,
            say::tls(tls).unwrap_or_else(|| "no handshake".to_owned()),
        ),
        Failed::Connect(connect) => (
            "P13",
            format!("The proxy {} opens no tunnel to {place}.", leg.endpoint()),
            Kind::Connect,
            say::status(connect.status, &connect.reason),
        ),
        Failed::Tls(tls) => (
            "T16",
            format!("The TLS handshake with {place} fails."),
            Kind::Tls,
            say::tls(tls).unwrap_or_else(|| "no handshake".to_owned()),
        ),
        Failed::Http(http) => {
            let code = of_answer(leg, http);
            let observed = http
                .flaw
                .as_ref()
                .map_or_else(|| say::status(http.status, &http.reason), say::flaw);
            (code, format!("{place} answers with {observed}."), Kind::Http, observed)
        }
    };
    let finding =
        say::about(leg, code, cause).severity(Severity::Error).confidence(Confidence::Possible);
    Some(finding.seen(kind, Place::Endpoint(leg.url()), observed, ""))
}

fn of_answer(leg: &Leg<'_>, http: &Http) -> &'static str {
    match (http.status, &http.flaw) {
        (_, Some(ReadFlaw::Silent(_) | ReadFlaw::Slow(_))) => "H02",
        (_, Some(_)) => "H05",
        (Some(401), None) if leg.purpose.is_module() && http.has_login => "A15",
        (Some(401), None) if leg.purpose.is_module() => "A14",
        (Some(401), None) if leg.purpose == Purpose::Meta => "A03",
        (Some(401), None) if http.has_login => "A02",
        (Some(401), None) => "A01",
        (Some(403), None) if http.has_login => "A05",
        (Some(407), None) => "P01",
        (Some(404), None) => "H21",
        _ => "H24",
    }
}
