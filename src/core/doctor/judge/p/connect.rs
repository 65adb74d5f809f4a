//! P10 to P23, P25, P30 and P32: what a proxy answers to CONNECT, or to a SOCKS request.

use super::{
    login::{self, Refused},
    with_scheme,
};
use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Kind},
        judge::{Case, say},
        leg::{Leg, Why},
        place::Place,
        probe::{Connect, ReadFlaw},
    },
    text::printable,
};

/// Returns why there is no tunnel.
pub(super) fn finding(leg: &Leg<'_>, connect: &Connect, case: &Case<'_>) -> Option<Finding> {
    let finding = match connect.status {
        _ if leg.proxy()?.scheme.starts_with("socks") => socks(leg, connect),
        None => without_status(leg, connect),
        Some(407) => return Some(login::finding(leg, &Refused::tunnel(leg, connect), case)),
        Some(200..300) if connect.interim.is_empty() => return None,
        Some(status) => refused(leg, connect, status),
    };
    let observed = match &connect.flaw {
        Some(flaw) => say::flaw(flaw),
        None => say::status(connect.status, &connect.reason),
    };
    let place = Place::Endpoint(leg.endpoint());
    Some(finding.seen(Kind::Connect, place, observed, "200").took(connect.took))
}

fn socks(leg: &Leg<'_>, connect: &Connect) -> Finding {
    let place = leg.endpoint();
    let is_http = leg
        .also(Why::ProxyScheme)
        .and_then(|also| also.seen.connect.as_ref())
        .is_some_and(|connect| connect.status.is_some());
    if is_http || connect.flaw.is_some() {
        let what = if is_http { ": it speaks HTTP" } else { "" };
        return say::about(leg, "P32", format!("{place} is no SOCKS proxy{what}."))
            .run(with_scheme(leg, "http"))
            .explains(&["P17", "P18", "P19"]);
    }
    let cause = format!(
        "The SOCKS proxy {place} does not connect to {}: {}.",
        leg.origin_endpoint(),
        connect.reason
    );
    say::about(leg, "P12", cause)
}

/// The answer was none.
fn without_status(leg: &Leg<'_>, connect: &Connect) -> Finding {
    let (place, target) = (leg.endpoint(), leg.origin_endpoint());
    let https_works = leg
        .also(Why::ProxyScheme)
        .is_some_and(|also| also.seen.proxy_tls.as_ref().is_some_and(|tls| tls.flaw.is_none()));
    if https_works {
        return tls_only(leg).explains(&["P18", "P19", "P21"]);
    }
    let (code, cause) = match &connect.flaw {
        // An alert of TLS.
        Some(ReadFlaw::NotHttp(bytes)) if bytes.first() == Some(&0x15) => return tls_only(leg),
        Some(flaw @ ReadFlaw::NotHttp(_)) => {
            ("P21", format!("{place} is no HTTP proxy: {}.", say::flaw(flaw)))
        }
        Some(ReadFlaw::TooLarge) => {
            ("P23", format!("{place} answers CONNECT with a head of more than 64 KiB."))
        }
        Some(ReadFlaw::Closed(_)) => {
            ("P18", format!("{place} closes the connection when it is asked for {target}."))
        }
        Some(ReadFlaw::Reset(_)) => {
            ("P19", format!("{place} resets the connection when it is asked for {target}."))
        }
        Some(ReadFlaw::Silent(_) | ReadFlaw::Slow(_)) | None => (
            "P17",
            format!(
                "{place} takes the connection and never answers CONNECT. go waits for a minute, git and curl for five."
            ),
        ),
    };
    say::about(leg, code, cause)
}

fn tls_only(leg: &Leg<'_>) -> Finding {
    let cause = format!("{} speaks TLS, and the setting says http://.", leg.endpoint());
    say::about(leg, "P30", cause).run(with_scheme(leg, "https"))
}

/// It said no, or said something in between.
fn refused(leg: &Leg<'_>, connect: &Connect, status: u16) -> Finding {
    let (place, target) = (leg.endpoint(), leg.origin_endpoint());
    if let Some(interim) = connect.interim.first() {
        let cause = format!(
            "{place} sends {interim} before its answer to CONNECT; go, git and curl take that for the answer."
        );
        return say::about(leg, "P25", cause);
    }
    let words = say::it_says(&connect.body);
    let said = say::status(connect.status, &connect.reason);
    match status {
        403 if opens_443(leg) => {
            let cause = format!(
                "{place} opens no tunnel to {target}: the port is not allowed, {}:443 is.",
                leg.host()
            );
            say::about(leg, "P11", cause).explains(&["P10"])
        }
        401 if connect.has_login => {
            let cause =
                format!("{place} rejects the login that is sent, with 401 in place of 407.{words}");
            say::about(leg, "P02", cause).run(login::store(leg))
        }
        401 => {
            let cause = format!("{place} wants a login, and asks with 401 in place of 407.{words}");
            say::about(leg, "P01", cause).run(login::store(leg))
        }
        // What a web server makes of CONNECT.
        400 | 404 | 405 | 501 => {
            let cause = format!(
                "{place} answers CONNECT with {said}: something else than a proxy listens there, or it opens no tunnels.{words}"
            );
            say::about(leg, "P21", cause).confidence(Confidence::Likely)
        }
        403 | 451 => {
            say::about(leg, "P10", format!("{place} does not allow {target} ({said}).{words}"))
        }
        300..=399 => {
            let to = connect.field("location").map(printable).unwrap_or_default();
            let cause = format!(
                "{place} answers CONNECT with a redirect to {to}: somebody has to sign in there first."
            );
            say::about(leg, "P22", cause).run("gocred portal open")
        }
        429 => {
            let after = after(connect.field("retry-after"));
            say::about(leg, "P16", format!("{place} was asked too often{after}."))
        }
        500.. => unavailable(leg, connect, status),
        _ => {
            let cause = format!("{place} answers CONNECT for {target} with {said}.{words}");
            say::about(leg, "P10", cause).confidence(Confidence::Possible)
        }
    }
}

/// An error of the proxy itself, or of what it dials.
fn unavailable(leg: &Leg<'_>, connect: &Connect, status: u16) -> Finding {
    let (place, target) = (leg.endpoint(), leg.origin_endpoint());
    let words = say::it_says(&connect.body);
    let retry = connect.field("retry-after");
    let squid = connect.field("x-squid-error").unwrap_or_default();
    let (code, confidence, cause) = match status {
        504 => (
            "P15",
            Confidence::Certain,
            format!("{place} got no answer from {target} in time.{words}"),
        ),
        503 if retry.is_some() => {
            ("P14", Confidence::Certain, format!("{place} is busy{}.{words}", after(retry)))
        }
        500 | 503 if squid.starts_with("ERR_") => (
            "P12",
            Confidence::Certain,
            format!("{place} cannot connect to {target} ({}).", printable(squid)),
        ),
        503 => {
            ("P12", Confidence::Likely, format!("{place} cannot connect to {target} (503).{words}"))
        }
        502 => (
            "P13",
            Confidence::Certain,
            format!("{place} got no usable answer on the way to {target} (502).{words}"),
        ),
        _ => (
            "P13",
            Confidence::Possible,
            format!(
                "{place} answers CONNECT for {target} with {}.{words}",
                say::status(connect.status, &connect.reason)
            ),
        ),
    };
    say::about(leg, code, cause).confidence(confidence)
}

/// Whether the same proxy opens a tunnel to the usual port of the same host.
fn opens_443(leg: &Leg<'_>) -> bool {
    leg.also(Why::Port443)
        .and_then(|also| also.seen.connect.as_ref())
        .is_some_and(|connect| connect.status == Some(200))
}

/// Says when it may be asked again (`Retry-After`: seconds, or a date).
fn after(retry: Option<&str>) -> String {
    retry.map_or_else(String::new, |retry| {
        let unit = if retry.chars().all(|c| c.is_ascii_digit()) { " seconds" } else { "" };
        format!(" and may be asked again after {}{unit}", printable(retry))
    })
}
