//! P: the upstream proxy, from its name to the end of CONNECT, and what breaks inside the tunnel because
//! of it.

use std::fmt::Write as _;

use crate::core::{
    challenge::Challenge,
    doctor::{
        finding::{Confidence, Finding, Kind, Tool},
        judge::{Case, say},
        leg::{Failed, Leg, Why},
        probe::{CertificateFlaw, Connect, ReadFlaw, Stage, TcpFlaw, Tls, TlsFlaw, Twist},
    },
    page,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    let Some(proxy) = leg.proxy() else { return Vec::new() };
    let place = leg.endpoint();
    let found = match leg.failed() {
        Some(Failed::Names(error)) => {
            let cause = format!("The proxy's name {} has no address.", proxy.host);
            let finding =
                say::about(leg, "P26", cause).run(format!("getent ahosts {}", proxy.host));
            Some(say::seen(finding, Kind::Dns, place, error.to_owned(), "an address", 0))
        }
        Some(Failed::Tcp(tried)) => Some(unconnected(leg, tried)),
        Some(Failed::ProxyTls(tls)) => Some(proxy_tls(leg, tls)),
        Some(Failed::Connect(connect)) => connected(leg, connect, case),
        Some(Failed::Tls(tls)) => in_tunnel(leg, tls),
        Some(Failed::Http(http)) if http.status == Some(407) => Some(login(
            leg,
            &Refused {
                challenges: &http.challenges,
                has_login: leg.proxy().is_some_and(|proxy| proxy.login.is_some()),
                body: &http.body,
                took: http.took,
                is_plain: true,
            },
            case,
        )),
        Some(Failed::Http(http)) if leg.seen.connect.is_some() => match http.flaw {
            // The tunnel breaks where a filter has read enough: the server itself would not (pdlp).
            Some(ReadFlaw::Reset(bytes)) => {
                let cause = format!(
                    "The tunnel through {place} was reset after {bytes} bytes of the answer of {}: a filter on the way (DLP, IPS) cut it.",
                    leg.host()
                );
                let finding = say::about(leg, "P24", cause)
                    .confidence(Confidence::Likely)
                    .explains(&["H04", "H05", "G23"]);
                Some(say::seen(
                    finding,
                    Kind::Http,
                    place,
                    "connection reset",
                    "a whole answer",
                    http.took,
                ))
            }
            _ => None,
        },
        None => pinned(leg, case),
        _ => None,
    };
    found.into_iter().map(|finding| name_setting(leg, finding)).collect()
}

/// git is told to use one scheme only, and what the proxy offers was seen without a login: what we sent is not
/// what git sends.
fn pinned(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let asked = leg.also(Why::Twist(Twist::NoProxyLogin))?;
    let connect = asked.seen.connect.as_ref().filter(|connect| connect.status == Some(407))?;
    let refused = Refused {
        challenges: &connect.challenges,
        has_login: false,
        body: &connect.body,
        took: connect.took,
        is_plain: false,
    };
    Some(login(leg, &refused, case)).filter(|finding| finding.entry.code == "P09")
}

/// Adds where the proxy is said.
fn name_setting(leg: &Leg<'_>, finding: Finding) -> Finding {
    let Some(proxy) = leg.proxy() else { return finding };
    let observed = format!("{}://{}:{}", proxy.scheme, proxy.host, proxy.port);
    finding.seen(Kind::Variable, leg.route.via_place.clone(), observed, "")
}

fn unconnected(leg: &Leg<'_>, tried: &[(std::net::SocketAddr, Stage<TcpFlaw>)]) -> Finding {
    let place = leg.endpoint();
    let flaw = tried.iter().find_map(|(_, stage)| stage.flaw).unwrap_or(TcpFlaw::Silent);
    let is_silent =
        matches!(flaw, TcpFlaw::Silent | TcpFlaw::HostUnreachable | TcpFlaw::NetUnreachable);
    let mut finding = if is_silent {
        let cause = format!(
            "The proxy {place} does not answer: a firewall drops the packets, or this machine is not in the network where the proxy is."
        );
        say::about(leg, "P28", cause)
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
        let observed = stage.flaw.map_or("connected", super::n::words);
        finding = say::seen(
            finding,
            Kind::Tcp,
            address.to_string(),
            observed,
            "a connection",
            stage.took,
        );
    }
    let host =
        leg.proxy().map_or_else(String::new, |proxy| format!("{} {}", proxy.host, proxy.port));
    finding.run(format!("nc -vz -w 5 {host}"))
}

/// TLS to an `https://` proxy.
fn proxy_tls(leg: &Leg<'_>, tls: &Tls) -> Finding {
    let place = leg.endpoint();
    let http_works = leg.also(Why::ProxyScheme).is_some_and(|also| {
        also.seen.connect.as_ref().is_some_and(|connect| connect.status.is_some())
    });
    if http_works || matches!(tls.flaw, Some(TlsFlaw::NotTls(_))) {
        let cause = format!("{place} speaks plain HTTP, and the setting says https://.");
        let finding = say::about(leg, "P29", cause).run(with_scheme(leg, "http"));
        return say::seen(
            finding,
            Kind::Tls,
            place,
            "no TLS at this port",
            "a TLS handshake",
            tls.took,
        );
    }
    let why = match (&tls.verdict, &tls.flaw) {
        (Some(Err(CertificateFlaw::UnknownIssuer(issuer))), _) => {
            format!("nobody who is trusted signed it (issuer: {issuer})")
        }
        (Some(Err(flaw)), _) => format!("{flaw:?}"),
        (_, Some(flaw)) => format!("the handshake failed: {flaw:?}"),
        _ => "the handshake failed".to_owned(),
    };
    let cause = format!("The certificate of the proxy {place} is not taken: {why}.");
    let finding = say::about(leg, "P31", cause);
    say::seen(finding, Kind::Tls, place, why, "a certificate that is trusted", tls.took)
}

fn with_scheme(leg: &Leg<'_>, scheme: &str) -> String {
    let Some(proxy) = leg.proxy() else { return String::new() };
    let value = format!("{scheme}://{}:{}", proxy.host, proxy.port);
    match &leg.route.via_place {
        crate::core::doctor::place::Place::Variable(name) => format!("export {name}={value}"),
        _ => format!("git config --global http.proxy {value}"),
    }
}

/// CONNECT, and SOCKS.
fn connected(leg: &Leg<'_>, connect: &Connect, case: &Case<'_>) -> Option<Finding> {
    let place = leg.endpoint();
    let proxy = leg.proxy()?;
    let observed = match (&connect.flaw, connect.status) {
        (Some(flaw), _) => say::flaw(flaw),
        (None, status) => say::status(status, &connect.reason),
    };
    let finish = |finding: Finding| {
        say::seen(finding, Kind::Connect, place.clone(), observed.clone(), "200", connect.took)
    };
    if proxy.scheme.starts_with("socks") {
        let is_http = leg
            .also(Why::ProxyScheme)
            .and_then(|also| also.seen.connect.as_ref())
            .is_some_and(|connect| connect.status.is_some());
        let is_other = connect.flaw.is_some();
        let finding = if is_http || is_other {
            let cause = format!(
                "{place} is no SOCKS proxy{}.",
                if is_http { ": it speaks HTTP" } else { "" }
            );
            say::about(leg, "P32", cause)
                .run(with_scheme(leg, "http"))
                .explains(&["P17", "P18", "P19"])
        } else {
            let cause = format!(
                "The SOCKS proxy {place} does not connect to {}: {}.",
                leg.origin_endpoint(),
                connect.reason
            );
            say::about(leg, "P12", cause)
        };
        return Some(finish(finding));
    }
    let Some(status) = connect.status else { return Some(finish(without_status(leg, connect))) };
    if !(200..300).contains(&status) && connect.interim.is_empty() && status != 407 {
        return Some(finish(refused(leg, connect, status)));
    }
    if status == 407 {
        let refused = Refused {
            challenges: &connect.challenges,
            has_login: connect.has_login,
            body: &connect.body,
            took: connect.took,
            is_plain: leg.asked.link.origin.scheme() == "http",
        };
        return Some(login(leg, &refused, case));
    }
    if connect.interim.is_empty() {
        return None;
    }
    Some(finish(refused(leg, connect, status)))
}

/// The answer was none.
fn without_status(leg: &Leg<'_>, connect: &Connect) -> Finding {
    let place = leg.endpoint();
    let https_works = leg
        .also(Why::ProxyScheme)
        .is_some_and(|also| also.seen.proxy_tls.as_ref().is_some_and(|tls| tls.flaw.is_none()));
    if https_works {
        let cause = format!("{place} speaks TLS, and the setting says http://.");
        return say::about(leg, "P30", cause)
            .run(with_scheme(leg, "https"))
            .explains(&["P18", "P19", "P21"]);
    }
    match &connect.flaw {
        Some(ReadFlaw::NotHttp(bytes)) if bytes.first() == Some(&0x15) => {
            let cause = format!("{place} speaks TLS, and the setting says http://.");
            say::about(leg, "P30", cause).run(with_scheme(leg, "https"))
        }
        Some(flaw @ ReadFlaw::NotHttp(_)) => {
            say::about(leg, "P21", format!("{place} is no HTTP proxy: {}.", say::flaw(flaw)))
        }
        Some(ReadFlaw::TooLarge) => say::about(
            leg,
            "P23",
            format!("{place} answers CONNECT with a head of more than 64 KiB."),
        ),
        Some(ReadFlaw::Closed(_)) => say::about(
            leg,
            "P18",
            format!(
                "{place} closes the connection when it is asked for {}.",
                leg.origin_endpoint()
            ),
        ),
        Some(ReadFlaw::Reset(_)) => say::about(
            leg,
            "P19",
            format!(
                "{place} resets the connection when it is asked for {}.",
                leg.origin_endpoint()
            ),
        ),
        Some(ReadFlaw::Silent(_) | ReadFlaw::Slow(_)) | None => {
            let cause = format!(
                "{place} takes the connection and never answers CONNECT. go waits for a minute, git and curl for five."
            );
            say::about(leg, "P17", cause)
        }
    }
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
    let said = say::words(&connect.body);
    let squid = connect
        .fields
        .iter()
        .find(|(name, _)| name == "x-squid-error")
        .map(|(_, value)| value.as_str())
        .unwrap_or_default();
    let retry = connect
        .fields
        .iter()
        .find(|(name, _)| name == "retry-after")
        .map(|(_, value)| value.as_str());
    let words = if said.is_empty() { String::new() } else { format!(" It says: {said}") };
    match status {
        403 if leg.also(Why::Port443).is_some_and(|also| {
            also.seen.connect.as_ref().is_some_and(|connect| connect.status == Some(200))
        }) =>
        {
            let cause = format!(
                "{place} opens no tunnel to {target}: the port is not allowed, {}:443 is.",
                leg.host()
            );
            say::about(leg, "P11", cause).explains(&["P10"])
        }
        401 | 403 | 405 | 451 => say::about(
            leg,
            "P10",
            format!(
                "{place} does not allow {target} ({}).{words}",
                say::status(connect.status, &connect.reason)
            ),
        ),
        300..=399 => {
            let to = connect
                .fields
                .iter()
                .find(|(name, _)| name == "location")
                .map(|(_, value)| crate::core::text::printable(value))
                .unwrap_or_default();
            let cause = format!(
                "{place} answers CONNECT with a redirect to {to}: somebody has to sign in there first."
            );
            say::about(leg, "P22", cause).run("gocred portal open")
        }
        429 => say::about(leg, "P16", format!("{place} was asked too often{}.", after(retry))),
        504 => {
            say::about(leg, "P15", format!("{place} got no answer from {target} in time.{words}"))
        }
        503 if retry.is_some() => {
            say::about(leg, "P14", format!("{place} is busy{}.{words}", after(retry)))
        }
        500 | 503 if squid.starts_with("ERR_") => {
            say::about(leg, "P12", format!("{place} cannot connect to {target} ({squid})."))
        }
        503 => say::about(leg, "P12", format!("{place} cannot connect to {target} (503).{words}"))
            .confidence(Confidence::Likely),
        502 => say::about(
            leg,
            "P13",
            format!("{place} got no usable answer on the way to {target} (502).{words}"),
        ),
        _ => {
            let cause = format!(
                "{place} answers CONNECT for {target} with {}.{words}",
                say::status(connect.status, &connect.reason)
            );
            let code = if status >= 500 { "P13" } else { "P10" };
            say::about(leg, code, cause).confidence(Confidence::Possible)
        }
    }
}

fn after(retry: Option<&str>) -> String {
    retry.map_or_else(String::new, |retry| {
        let unit = if retry.chars().all(|c| c.is_ascii_digit()) { " seconds" } else { "" };
        format!(" and may be asked again after {}{unit}", crate::core::text::printable(retry))
    })
}

/// A 407, of CONNECT or of a plain request.
struct Refused<'a> {
    challenges: &'a [Challenge],
    has_login: bool,
    body: &'a [u8],
    took: u64,
    is_plain: bool,
}

fn login(leg: &Leg<'_>, refused: &Refused<'_>, case: &Case<'_>) -> Finding {
    let place = leg.endpoint();
    let schemes: Vec<String> =
        refused.challenges.iter().map(|challenge| challenge.scheme.clone()).collect();
    let has = |scheme: &str| refused.challenges.iter().any(|challenge| challenge.is(scheme));
    let is_basic = has("basic");
    let pinned = case.machine.git_value("http.proxyauthmethod").filter(|value| {
        let method = value.value.raw().to_ascii_lowercase();
        leg.tool == Tool::Git && !method.is_empty() && method != "anyauth" && !has(&method)
    });
    let offered = if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(", ") };
    let only = |scheme: &str| {
        !schemes.is_empty() && refused.challenges.iter().all(|challenge| challenge.is(scheme))
    };
    let stored = format!("gocred login --proxy http://{place}");
    let finding = if let Some(value) = pinned {
        let cause = format!(
            "git is told to use {} at proxies ({}); {place} offers {offered}.",
            value.value, value.place
        );
        say::about(leg, "P09", cause)
            .seen(
                Kind::File,
                value.place.clone(),
                format!("http.proxyAuthMethod = {}", value.value),
                offered.clone(),
            )
            .run("git config --global --unset-all http.proxyAuthMethod")
            .explains(&["P01", "P02"])
    } else if schemes.is_empty() {
        say::about(
            leg,
            "P07",
            format!(
                "{place} wants a login and does not say which: its 407 has no Proxy-Authenticate."
            ),
        )
    } else if refused.has_login && is_basic {
        match page::why(refused.body) {
            Some(page::Why::Locked) => say::about(leg, "P34", format!("{place} says that the account is locked. Each further attempt keeps it so.")).explains(&["P02"]),
            Some(page::Why::Expired) => say::about(leg, "P35", format!("{place} says that the password has expired.")).explains(&["P02"]),
            None if refused.is_plain && leg.purpose.is_module() => say::about(leg, "P33", format!("{place} rejects the login that {} sends for {}.", say::name(leg.tool), leg.host())).run(stored),
            None => say::about(leg, "P02", format!("{place} rejects the login that {} sends: the password is wrong or was changed.", say::name(leg.tool))).run(stored),
        }
    } else if is_basic {
        let has_own = leg
            .proxy()
            .is_some_and(|proxy| case.wallet.proxy_login(&proxy.host, proxy.port).is_some());
        let own = if has_own { " gocred has one: its own proxy would send it." } else { "" };
        let code = if refused.is_plain && leg.purpose.is_module() { "P33" } else { "P01" };
        let finding = say::about(
            leg,
            code,
            format!("{place} wants a login, and {} sends none.{own}", say::name(leg.tool)),
        );
        finding.run(if has_own { "gocred setup --proxy".to_owned() } else { stored })
    } else if only("ntlm") {
        say::about(leg, "P03", format!("{place} takes NTLM only, which go does not speak, and git only with a login in the URL.")).run(stored)
    } else if only("negotiate") {
        say::about(leg, "P04", format!("{place} takes Kerberos (Negotiate) only: there has to be a ticket, and a program that shows it.")).run("klist || kinit")
    } else if only("digest") {
        say::about(leg, "P05", format!("{place} takes Digest only, which go does not speak."))
            .run(stored)
    } else if only("bearer") {
        say::about(
            leg,
            "P06",
            format!("{place} takes Bearer tokens only: a device agent has to provide them."),
        )
    } else {
        say::about(leg, "P08", format!("{place} offers {offered}; go speaks none of them."))
            .run(stored)
    };
    let sent = if refused.has_login { "a login was sent" } else { "no login was sent" };
    say::seen(
        finding,
        Kind::Connect,
        place,
        format!("407, {sent}; offered: {offered}"),
        "200",
        refused.took,
    )
}

/// The tunnel is open, and what comes through is not the server.
fn in_tunnel(leg: &Leg<'_>, tls: &Tls) -> Option<Finding> {
    let connect = leg.seen.connect.as_ref()?;
    let place = leg.endpoint();
    let (code, cause, observed) = match &tls.flaw {
        Some(TlsFlaw::NotTls(bytes)) if page::is_page(bytes) || bytes.starts_with(b"<") => (
            "P20",
            format!(
                "{place} says 200 to CONNECT and then sends a page in place of {}: somebody has to sign in first.",
                leg.host()
            ),
            say::words(bytes),
        ),
        _ if connect.fields.iter().any(|(name, value)| {
            (name == "content-length" && value != "0")
                || (name == "content-type" && value.contains("html"))
        }) && tls.flaw.is_some() =>
        {
            (
                "P20",
                format!(
                    "{place} says 200 to CONNECT and sends a page with it, in place of {}: somebody has to sign in first.",
                    leg.host()
                ),
                "200 with a body".to_owned(),
            )
        }
        Some(TlsFlaw::Reset) => (
            "P24",
            format!(
                "The tunnel through {place} is reset during the handshake with {}: a filter on the way (DLP, IPS) does not let it pass.",
                leg.host()
            ),
            "connection reset in the handshake".to_owned(),
        ),
        _ => return None,
    };
    let mut finding = say::about(leg, code, cause).explains(&["T15", "T17", "T18", "T19"]);
    if code == "P20" {
        finding = finding.run("gocred portal open");
    } else {
        finding = finding.confidence(Confidence::Likely);
    }
    Some(say::seen(finding, Kind::Connect, place, observed, "a TLS handshake", tls.took))
}
