//! What is asked in addition where a request failed: the same done differently, to tell one cause from another.
//! The two sides of a comparison never carry a login that was rejected.
//!
//! Where the first of two entries of a netrc was rejected, the second is tried, once (`second`).

use std::net::IpAddr;

use crate::core::{
    doctor::{
        finding::Tool,
        judge::negotiate,
        leg::{Also, Failed, Leg, Purpose, Why, port},
        machine::Machine,
        plan::{
            follow::{Credential, Follower, way, with_scheme},
            helper, real_git, second,
        },
        probe::{
            CertificateFlaw as Flaw, Connect, Exchange, Http, Probe, ReadFlaw, Seen, Tls, TlsFlaw,
            Twist,
        },
        route::{Link, Proxy, Trust, Via},
        tls_limits,
    },
    origin::Origin,
};

/// Asks about every leg that failed.
pub(super) fn ask(follower: &mut Follower<'_>) {
    let mut legs = std::mem::take(&mut follower.legs);
    for leg in legs.iter_mut().filter(|leg| leg.decides) {
        let of_suites = own_suites(leg, follower.machine);
        if leg.failed().is_none()
            && of_suites.is_none()
            && negotiate::may_differ(leg) == (false, false)
        {
            continue;
        }
        if leg.proxy().is_some() {
            leg.origin_names = follower.names(leg.host());
        }
        if let Some(probe) = real_git::probe(leg, follower.machine) {
            let _ = follower.program(probe);
        }
        let hidden = hidden(leg, follower);
        for (why, exchange) in questions(leg, follower).into_iter().chain(of_suites).chain(hidden) {
            let probe = Probe::Exchange(exchange);
            match follower.answers.get(&probe.key()) {
                Some((Probe::Exchange(asked), Seen::Trace(seen))) => {
                    leg.also.push(Also { why, trust: &asked.trust, seen });
                }
                Some(_) => {}
                None => follower.wanted.push(probe),
            }
        }
    }
    follower.legs = legs;
}

/// What git's helpers know of a repository that is not there for strangers: git asks them only after a 401.
fn hidden(leg: &Leg<'_>, follower: &mut Follower<'_>) -> Option<Question> {
    let http = leg.answer().filter(|http| http.status == Some(404) && !http.has_login)?;
    let is_asked = leg.tool == Tool::Git
        && leg.purpose == Purpose::Repository
        && leg.asked.link.origin.scheme() == "https"
        && http.flaw.is_none()
        && follower.wallet.login(&leg.asked.link).is_none();
    if !is_asked {
        return None;
    }
    match helper::answer(follower, &leg.asked.link) {
        Credential::Login(login) => {
            let twist = Twist::None;
            Some((Why::Login, Exchange { login: Some(login), twist, ..leg.asked.clone() }))
        }
        Credential::Pending | Credential::None => None,
    }
}

/// A question, and why it is asked.
type Question = (Why, Exchange);

/// Returns the questions that follow from how a leg failed.
fn questions(leg: &Leg<'_>, follower: &Follower<'_>) -> Vec<Question> {
    let plain = Exchange { login: None, twist: Twist::None, ..leg.asked.clone() };
    let mut questions = match leg.failed() {
        Some(Failed::Names(_) | Failed::Tcp(_)) if leg.proxy().is_some() => {
            vec![without_proxy(&plain)]
        }
        Some(Failed::Names(_) | Failed::Tcp(_)) => others(leg, follower.machine)
            .map(|proxy| {
                let other = Exchange { proxy: Some(proxy), pinned: None, ..handshake(&plain) };
                (Why::OtherProxy, other)
            })
            .collect(),
        Some(Failed::ProxyTls(tls)) if tls.flaw.is_some() => {
            leg.proxy().map(|proxy| scheme(&plain, proxy, "http")).into_iter().collect()
        }
        Some(Failed::ProxyTls(_)) => Vec::new(),
        Some(Failed::Connect(connect)) => after_connect(leg, connect, &plain),
        Some(Failed::Tls(tls)) => after_tls(leg, tls, &plain, follower.machine),
        Some(Failed::Http(http)) => after_answer(leg, http, &plain, follower),
        // What we sent is not what git sends (P08, P09, A09).
        None => {
            let (at_proxy, at_origin) = negotiate::may_differ(leg);
            let of_proxy = at_proxy.then(|| twisted(&plain, Twist::NoProxyLogin));
            let of_origin = at_origin.then(|| (Why::NoLogin, plain.clone()));
            of_proxy.into_iter().chain(of_origin).collect()
        }
    };
    if leg.asked.pinned.is_some() && leg.failed().is_some() {
        questions.push((Why::Unpinned, Exchange { pinned: None, ..plain.clone() }));
    }
    let is_mixed =
        leg.names.and_then(|names| names.system.as_ref().ok()).is_some_and(|addresses| {
            addresses.iter().any(IpAddr::is_ipv6) && addresses.iter().any(IpAddr::is_ipv4)
        });
    if is_mixed && matches!(leg.failed(), Some(Failed::Tcp(_) | Failed::Tls(_))) {
        questions.push(twisted(&plain, Twist::V4));
    }
    questions
}

/// The proxy opened no tunnel.
fn after_connect(leg: &Leg<'_>, connect: &Connect, plain: &Exchange) -> Vec<Question> {
    let Some(proxy) = leg.proxy() else { return Vec::new() };
    let mut questions = Vec::new();
    // Who speaks TLS does not just stay silent when it is spoken to in clear.
    let is_silent = matches!(connect.flaw, Some(ReadFlaw::Silent(_) | ReadFlaw::Slow(_)));
    match connect.status {
        None if proxy.scheme == "http" && !is_silent => {
            questions.push(scheme(plain, proxy, "https"));
        }
        None if proxy.scheme.starts_with("socks") => questions.push(scheme(plain, proxy, "http")),
        Some(403) if port(&leg.asked.link.origin) != 443 => questions.extend(port_443(plain)),
        _ => {}
    }
    if connect.status != Some(407) {
        questions.push(without_proxy(plain));
    }
    questions
}

/// The handshake failed, or the certificate is not trusted.
fn after_tls(leg: &Leg<'_>, tls: &Tls, plain: &Exchange, machine: &Machine) -> Vec<Question> {
    match &tls.flaw {
        Some(TlsFlaw::Silent) => vec![twisted(plain, Twist::SmallSegments)],
        Some(
            TlsFlaw::Alert(_) | TlsFlaw::Closed | TlsFlaw::Reset | TlsFlaw::Old | TlsFlaw::Other(_),
        ) => vec![twisted(plain, Twist::OldTls), twisted(plain, Twist::OtherName)],
        Some(TlsFlaw::NotTls(_)) => Vec::new(),
        None => {
            let mut questions = trusts(leg, machine, plain);
            if leg.proxy().is_some() {
                questions.push(without_proxy(plain));
            }
            if matches!(tls.verdict, Some(Err(Flaw::Expired | Flaw::NotYetValid))) {
                questions.push(clock(plain));
            }
            questions
        }
    }
}

/// It was answered with another status than 200.
fn after_answer(
    leg: &Leg<'_>,
    http: &Http,
    plain: &Exchange,
    follower: &Follower<'_>,
) -> Vec<Question> {
    let mut questions = Vec::new();
    if http.status == Some(401) && http.has_login {
        let second = second::of(leg, follower.machine).map(|second| second.login);
        questions.extend(
            second.map(|login| (Why::Second, Exchange { login: Some(login), ..plain.clone() })),
        );
    }
    let is_refused = matches!(http.status, Some(401 | 403 | 404)) && !http.has_login;
    if is_refused
        && leg.asked.link.origin.scheme() == "https"
        && let Some(login) = follower.wallet.login(&leg.asked.link)
    {
        questions.push((Why::Login, Exchange { login: Some(login), ..plain.clone() }));
    }
    let is_absent = matches!(http.status, Some(404 | 410)) && leg.purpose == Purpose::Info;
    if is_absent && let Some((start, _)) = leg.asked.link.path.rsplit_once("/@v/") {
        let link = Link { path: format!("{start}/@v/list"), ..leg.asked.link.clone() };
        questions.push((Why::Versions, Exchange { link, ..leg.asked.clone() }));
    }
    let is_unknown = http.status == Some(404) && leg.purpose == Purpose::Repository;
    if is_unknown && leg.asked.link.path != "/" {
        let link = Link { path: "/".to_owned(), ..leg.asked.link.clone() };
        questions.push((Why::Root, Exchange { link, ..plain.clone() }));
    }
    questions
}

/// Whether the server takes one of the cipher suites that git's settings leave to git. TLS 1.3 has others.
fn own_suites(leg: &Leg<'_>, machine: &Machine) -> Option<Question> {
    let tls = leg.seen.tls.as_ref().filter(|tls| tls.version == "TLSv1.2")?;
    if leg.tool != Tool::Git || tls.flaw.is_some() {
        return None;
    }
    let (suites, _) = tls_limits::suites(machine, &leg.asked.link.to_string())?;
    let tls_limits::Suites::These(suites) = suites else { return None };
    let plain = Exchange { login: None, suites, ..leg.asked.clone() };
    (!plain.suites.is_empty()).then(|| twisted(&plain, Twist::OwnSuites))
}

fn twisted(plain: &Exchange, twist: Twist) -> Question {
    (Why::Twist(twist), Exchange { twist, ..plain.clone() })
}

fn handshake(plain: &Exchange) -> Exchange {
    Exchange { twist: Twist::HandshakeOnly, ..plain.clone() }
}

fn without_proxy(plain: &Exchange) -> Question {
    (Why::WithoutProxy, Exchange { proxy: None, pinned: None, ..handshake(plain) })
}

/// What time it is: the Date of any answer tells it. The certificate is not trusted, so that nothing of the user
/// goes there, not even the path.
fn clock(plain: &Exchange) -> Question {
    let link = Link { path: "/".to_owned(), ..plain.link.clone() };
    let trust = Trust { is_off: true, ..plain.trust.clone() };
    (Why::Root, Exchange { link, trust, fields: Vec::new(), ..plain.clone() })
}

fn scheme(plain: &Exchange, proxy: &Proxy, scheme: &str) -> Question {
    (Why::ProxyScheme, Exchange { proxy: Some(with_scheme(proxy, scheme)), ..handshake(plain) })
}

fn port_443(plain: &Exchange) -> Option<Question> {
    let origin = Origin::from_parts("https", plain.link.origin.host(), None).ok()?;
    let link = Link { origin, path: plain.link.path.clone() };
    Some((Why::Port443, Exchange { link, ..handshake(plain) }))
}

/// The proxies that the settings of this machine name for something else: by other tools' ways, and by the
/// variables for http. Each once.
fn others<'a>(leg: &'a Leg<'_>, machine: &'a Machine) -> impl Iterator<Item = Proxy> + 'a {
    let clear = Origin::from_parts("http", leg.host(), None).ok();
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
fn trusts(leg: &Leg<'_>, machine: &Machine, plain: &Exchange) -> Vec<Question> {
    let mut seen: Vec<Trust> = vec![leg.asked.trust.clone()];
    let mut questions = Vec::new();
    for tool in [Tool::Go, Tool::Git, Tool::Curl] {
        let Some(way) = way(tool, &leg.asked.link, machine) else { continue };
        if !way.trust.is_off && !seen.contains(&way.trust) {
            seen.push(way.trust.clone());
            questions.push((Why::Trust(tool), Exchange { trust: way.trust, ..handshake(plain) }));
        }
    }
    questions
}
