//! P: the upstream proxy, from its name to the end of CONNECT, and what breaks inside the tunnel because
//! of it.

mod connect;
mod login;
mod tunnel;

use std::{fmt::Write as _, net::SocketAddr};

use self::login::Refused;
use crate::core::doctor::{
    finding::{Finding, Kind},
    judge::{Case, n, say},
    leg::{Failed, Leg, Why},
    place::Place,
    probe::{Stage, TcpFlaw, Tls, TlsFlaw},
    route::Proxy,
    shell::quoted,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    let Some(proxy) = leg.proxy() else { return Vec::new() };
    let found = match leg.failed() {
        Some(Failed::Names(error)) => Some(nameless(leg, proxy, error)),
        Some(Failed::Tcp(tried)) => Some(unconnected(leg, proxy, tried)),
        Some(Failed::ProxyTls(tls)) => Some(proxy_tls(leg, tls)),
        Some(Failed::Connect(connect)) => connect::finding(leg, connect, case),
        Some(Failed::Tls(tls)) => tunnel::replaced(leg, tls),
        Some(Failed::Http(http)) if http.status == Some(407) => {
            Some(login::finding(leg, &Refused::request(proxy, http), case))
        }
        Some(Failed::Http(http)) => tunnel::cut(leg, http),
        None => login::pinned(leg, case).or_else(|| login::unanswered(leg, case)),
    };
    found.into_iter().map(|finding| name_setting(leg, proxy, finding)).collect()
}

/// Adds where the proxy is said.
fn name_setting(leg: &Leg<'_>, proxy: &Proxy, finding: Finding) -> Finding {
    let observed = format!("{}://{}:{}", proxy.scheme, proxy.host, proxy.port);
    finding.seen(Kind::Variable, leg.route.via_place.clone(), observed, "")
}

/// P26: the proxy's name has no address.
fn nameless(leg: &Leg<'_>, proxy: &Proxy, error: &str) -> Finding {
    let cause = format!("The proxy's name {} has no address.", proxy.host);
    let finding = say::about(leg, "P26", cause).run(format!("getent ahosts {}", proxy.host)).seen(
        Kind::Dns,
        Place::Endpoint(leg.endpoint()),
        error,
        "an address",
    );
    match leg.names {
        Some(names) => finding.took(names.took),
        None => finding,
    }
}

/// P27 and P28: no connection to the proxy.
fn unconnected(leg: &Leg<'_>, proxy: &Proxy, tried: &[(SocketAddr, Stage<TcpFlaw>)]) -> Finding {
    let place = leg.endpoint();
    let flaw = tried.iter().find_map(|(_, stage)| stage.flaw).unwrap_or(TcpFlaw::Silent);
    let is_silent =
        matches!(flaw, TcpFlaw::Silent | TcpFlaw::HostUnreachable | TcpFlaw::NetUnreachable);
    let mut finding = if is_silent {
        let cause = format!(
            "The proxy {place} does not answer: a firewall drops the packets, or this machine is not in the network where the proxy is."
        );
        say::about(leg, "P28", cause)
    } else if matches!(flaw, TcpFlaw::Reset) {
        let cause = format!("The proxy {place} resets every connection as soon as it is there.");
        say::about(leg, "P19", cause)
    } else {
        say::about(leg, "P27", format!("Nobody listens at the proxy's address {place}."))
    };
    if leg
        .also(Why::WithoutProxy)
        .is_some_and(|also| also.seen.tls.is_some() || also.seen.http.is_some())
    {
        let _ = write!(finding.cause, " Without the proxy {} can be reached.", leg.host());
    }
    for (address, stage) in tried {
        let observed = stage.flaw.map_or("connected", n::words);
        let place = Place::Endpoint(address.to_string());
        finding = finding.seen(Kind::Tcp, place, observed, "a connection").took(stage.took);
    }
    finding.run(format!("nc -vz -w 5 {} {}", proxy.host, proxy.port))
}

/// P29 and P31: TLS to an `https://` proxy.
fn proxy_tls(leg: &Leg<'_>, tls: &Tls) -> Finding {
    let place = leg.endpoint();
    let http_works = leg.also(Why::ProxyScheme).is_some_and(|also| {
        also.seen.connect.as_ref().is_some_and(|connect| connect.status.is_some())
    });
    let (finding, observed, expected) =
        if http_works || matches!(tls.flaw, Some(TlsFlaw::NotTls(_))) {
            let cause = format!("{place} speaks plain HTTP, and the setting says https://.");
            let finding = say::about(leg, "P29", cause).run(with_scheme(leg, "http"));
            (finding, "no TLS at this port".to_owned(), "a TLS handshake")
        } else {
            let why = refusal(tls);
            let cause = format!("The certificate of the proxy {place} is not taken: {why}.");
            (say::about(leg, "P31", cause), why, "a certificate that is trusted")
        };
    finding.seen(Kind::Tls, Place::Endpoint(place), observed, expected).took(tls.took)
}

/// Returns why a handshake came to nothing: the certificate explains more than how it ended.
fn refusal(tls: &Tls) -> String {
    match (&tls.verdict, &tls.flaw) {
        (Some(Err(flaw)), _) => say::certificate(flaw),
        (_, Some(flaw)) => format!("the handshake failed: {}", say::handshake(flaw)),
        _ => "the handshake failed".to_owned(),
    }
}

/// Returns the command that sets the same proxy with another scheme.
fn with_scheme(leg: &Leg<'_>, scheme: &str) -> String {
    let Some(proxy) = leg.proxy() else { return String::new() };
    let value = quoted(&format!("{scheme}://{}:{}", proxy.host, proxy.port));
    match &leg.route.via_place {
        Place::Variable(name) => format!("export {name}={value}"),
        _ => format!("git config --global http.proxy {value}"),
    }
}
