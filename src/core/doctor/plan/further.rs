//! What is asked in addition where a request failed: the same done differently, to tell one cause from another.
//! The two sides of a comparison never carry a login that was rejected.

use crate::core::doctor::{
    finding::Tool,
    leg::{Also, Failed, Leg, Purpose, Why},
    machine::Machine,
    plan::follow::{Follower, way, with_scheme},
    probe::{CertificateFlaw as Flaw, Exchange, Probe, ReadFlaw, Seen, TlsFlaw, Twist},
    route::{Link, Proxy, Trust, Via},
};

/// Asks about every leg that failed.
pub(super) fn ask(follower: &mut Follower<'_>) {
    let mut legs = std::mem::take(&mut follower.legs);
    for leg in legs.iter_mut().filter(|leg| leg.decides) {
        if leg.failed().is_none() && !is_pinned(leg, follower.machine) {
            continue;
        }
        if leg.proxy().is_some() {
            leg.origin_names = follower.names(leg.host());
        }
        for (why, exchange) in questions(leg, follower) {
            let probe = Probe::Exchange(exchange);
            match follower.answers.get(&probe.key()) {
                Some((Probe::Exchange(asked), Seen::Trace(seen))) => {
                    leg.also.push(Also { why, asked, seen });
                }
                Some(_) => {}
                None => follower.wanted.push(probe),
            }
        }
    }
    follower.legs = legs;
}

/// Whether git is told how to log in at a proxy, so that it may fail where we do not (P09).
fn is_pinned(leg: &Leg<'_>, machine: &Machine) -> bool {
    let has_login = leg.proxy().is_some_and(|proxy| proxy.login.is_some());
    leg.tool == Tool::Git && has_login && machine.git_value("http.proxyauthmethod").is_some()
}

/// Returns the questions that follow from how a leg failed.
fn questions(leg: &Leg<'_>, follower: &Follower<'_>) -> Vec<(Why, Exchange)> {
    let plain = Exchange { login: None, twist: Twist::None, ..leg.asked.clone() };
    let twisted = |twist: Twist| (Why::Twist(twist), Exchange { twist, ..plain.clone() });
    let handshake = Exchange { twist: Twist::HandshakeOnly, ..plain.clone() };
    let without_proxy = (Why::WithoutProxy, Exchange { proxy: None, ..handshake.clone() });
    let mut questions = Vec::new();
    match (leg.failed(), leg.proxy()) {
        (Some(Failed::Names(_) | Failed::Tcp(_)), None) => {
            questions.extend(others(leg, follower.machine).map(|proxy| {
                (Why::OtherProxy, Exchange { proxy: Some(proxy), ..handshake.clone() })
            }));
        }
        (Some(Failed::Names(_) | Failed::Tcp(_)), Some(_)) => questions.push(without_proxy),
        (Some(Failed::ProxyTls(tls)), Some(proxy)) if tls.flaw.is_some() => {
            questions.push(scheme(&handshake, proxy, "http"));
        }
        (Some(Failed::Connect(connect)), Some(proxy)) => {
            let is_odd = connect.status.is_none();
            // Who speaks TLS does not just stay silent when it is spoken to in clear.
            let is_silent = matches!(connect.flaw, Some(ReadFlaw::Silent(_) | ReadFlaw::Slow(_)));
            if is_odd && !is_silent && proxy.scheme == "http" {
                questions.push(scheme(&handshake, proxy, "https"));
            } else if is_odd && proxy.scheme.starts_with("socks") {
                questions.push(scheme(&handshake, proxy, "http"));
            }
            let port = crate::core::doctor::leg::port(&leg.asked.link.origin);
            if connect.status == Some(403) && port != 443 {
                questions.extend(port_443(&handshake));
            }
            if connect.status != Some(407) {
                questions.push(without_proxy);
            }
        }
        (Some(Failed::Tls(tls)), _) => match &tls.flaw {
            Some(TlsFlaw::Silent) => questions.push(twisted(Twist::SmallSegments)),
            Some(
                TlsFlaw::Alert(_)
                | TlsFlaw::Closed
                | TlsFlaw::Reset
                | TlsFlaw::Old
                | TlsFlaw::Other(_),
            ) => {
                questions.push(twisted(Twist::OldTls));
                questions.push(twisted(Twist::OtherName));
            }
            Some(TlsFlaw::NotTls(_)) => {}
            None => {
                questions.extend(trusts(leg, follower.machine, &handshake));
                if leg.proxy().is_some() {
                    questions.push(without_proxy);
                }
                if matches!(tls.verdict, Some(Err(Flaw::Expired | Flaw::NotYetValid))) {
                    questions.push(clock(&plain));
                }
            }
        },
        (Some(Failed::Http(http)), _) => {
            let is_refused = matches!(http.status, Some(401 | 403 | 404));
            if is_refused
                && !http.has_login
                && leg.asked.link.origin.scheme() == "https"
                && let Some(login) = follower.wallet.login(&leg.asked.link)
            {
                questions.push((Why::Login, Exchange { login: Some(login), ..plain.clone() }));
            }
            if http.status == Some(404)
                && leg.asked.link.path != "/"
                && leg.purpose == Purpose::Repository
            {
                let link = Link { path: "/".to_owned(), ..leg.asked.link.clone() };
                questions.push((Why::Root, Exchange { link, ..plain.clone() }));
            }
        }
        (None, Some(_)) => questions.push(twisted(Twist::NoProxyLogin)),
        _ => {}
    }
    let is_mixed =
        leg.names.and_then(|names| names.system.as_ref().ok()).is_some_and(|addresses| {
            addresses.iter().any(std::net::IpAddr::is_ipv6)
                && addresses.iter().any(std::net::IpAddr::is_ipv4)
        });
    if is_mixed && matches!(leg.failed(), Some(Failed::Tcp(_) | Failed::Tls(_))) {
        questions.push((Why::Twist(Twist::V4), Exchange { twist: Twist::V4, ..plain }));
    }
    questions
}

/// What time it is: the Date of any answer tells it. The certificate is not trusted, so that nothing of the user
/// goes there, not even the path.
fn clock(plain: &Exchange) -> (Why, Exchange) {
    let link = Link { path: "/".to_owned(), ..plain.link.clone() };
    let trust = Trust { is_off: true, ..plain.trust.clone() };
    (Why::Root, Exchange { link, trust, fields: Vec::new(), ..plain.clone() })
}

fn scheme(handshake: &Exchange, proxy: &Proxy, scheme: &str) -> (Why, Exchange) {
    (Why::ProxyScheme, Exchange { proxy: Some(with_scheme(proxy, scheme)), ..handshake.clone() })
}

fn port_443(handshake: &Exchange) -> Option<(Why, Exchange)> {
    let origin = &handshake.link.origin;
    let origin = crate::core::origin::Origin::from_parts("https", origin.host(), None).ok()?;
    let link = Link { origin, path: handshake.link.path.clone() };
    Some((Why::Port443, Exchange { link, ..handshake.clone() }))
}

/// The proxies that the settings of this machine name for something else: by other tools' ways, and by the
/// variables for http. Each once.
fn others<'a>(leg: &'a Leg<'_>, machine: &'a Machine) -> impl Iterator<Item = Proxy> + 'a {
    let clear = crate::core::origin::Origin::from_parts("http", leg.host(), None).ok();
    let clear = clear.map(|origin| Link { origin, path: "/".to_owned() });
    let links = [Some(leg.asked.link.clone()), clear];
    let mut seen = Vec::new();
    let ways = links.into_iter().flatten().flat_map(move |link| {
        [Tool::Go, Tool::Git, Tool::Curl]
            .into_iter()
            .filter_map(move |tool| way(tool, &link, machine))
    });
    ways.filter_map(move |way| {
        let Via::Proxy(proxy) = way.via else { return None };
        let name = format!("{}://{}:{}", proxy.scheme, proxy.host, proxy.port);
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        Some(proxy)
    })
}

/// The trusts of the other tools, and of the system, where they differ.
fn trusts(leg: &Leg<'_>, machine: &Machine, handshake: &Exchange) -> Vec<(Why, Exchange)> {
    let mut seen: Vec<Trust> = vec![leg.asked.trust.clone()];
    let mut questions = Vec::new();
    for tool in [Tool::Go, Tool::Git, Tool::Curl] {
        let Some(way) = way(tool, &leg.asked.link, machine) else { continue };
        if !way.trust.is_off && !seen.contains(&way.trust) {
            seen.push(way.trust.clone());
            questions.push((Why::Trust(tool), Exchange { trust: way.trust, ..handshake.clone() }));
        }
    }
    questions
}
