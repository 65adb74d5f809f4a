//! From a target to a connection: the permission, the route, and each hop in turn.

use std::net::SocketAddr;

use tokio::time::{Duration, Instant, timeout_at};

use crate::{
    core::{
        address::Special,
        connect::Step,
        origin::Origin,
        refusal::Refusal,
        target::{Authority, Host},
        upstream::{Hop, route},
    },
    net::{
        dial::{Veto, dial},
        tunnel,
        wire::Wire,
    },
    proxy::{
        Shared, failure,
        login::{self, Login},
    },
};

/// How long a way to the target may be looked for. Go gives up after 60 s.
pub(crate) const TOTAL: Duration = Duration::from_secs(45);

/// How many secrets one connection may see tried: what was cached, and what the store has since.
const MAX_TRIES: u8 = 3;

/// What the failure of a hop means for the ones behind it.
pub(crate) enum Failed {
    /// The hop is out of order: the next one is tried.
    Hop(Refusal),
    /// The answer is final; another hop must not be used to get around it.
    Request(Refusal),
}

/// Judges a target before anything is asked or connected.
pub(crate) fn permitted(shared: &Shared, target: &Authority) -> Result<(), Refusal> {
    if target.host.is_metadata_name() {
        return Err(failure::forbidden(target, Special::Metadata.as_str()));
    }
    let Some(address) = target.host.known_address() else { return Ok(()) };
    if failure::is_own(&shared.own, SocketAddr::new(address, target.port)) {
        return Err(failure::own_listener(target));
    }
    match shared.settings.allow.refuses(address) {
        Some(special) => Err(failure::forbidden(target, special.as_str())),
        None => Ok(()),
    }
}

/// Opens a tunnel to a target.
pub(crate) async fn tunnel(shared: &Shared, target: &Authority) -> Result<Wire, Refusal> {
    permitted(shared, target)?;
    let deadline = Instant::now() + TOTAL;
    let mut last = None;
    for hop in route(target, &shared.settings.rules) {
        let attempt = async {
            match &hop {
                Hop::Direct => direct(shared, target).await.map_err(Failed::Hop),
                Hop::Via(upstream) => through(shared, upstream, target).await,
            }
        };
        match timeout_at(deadline, attempt).await {
            Ok(Ok(wire)) => return Ok(wire),
            Ok(Err(Failed::Request(refusal))) => return Err(refusal),
            Ok(Err(Failed::Hop(refusal))) => last = Some(refusal),
            Err(_) => break,
        }
    }
    Err(last.unwrap_or_else(|| failure::too_late(target)))
}

/// Connects to the target itself. Every address it resolves to is judged.
pub(crate) async fn direct(shared: &Shared, target: &Authority) -> Result<Wire, Refusal> {
    let veto = |address: SocketAddr| {
        if failure::is_own(&shared.own, address) {
            return Some(Veto::Own);
        }
        shared.settings.allow.refuses(address.ip()).map(Veto::Special)
    };
    dial(&target.host, target.port, veto)
        .await
        .map_err(|error| failure::unreachable(target, &error))
}

/// Connects to an upstream. It may be anywhere, on this machine too, but it is never us.
pub(crate) async fn to_upstream(shared: &Shared, upstream: &Origin) -> Result<Wire, Refusal> {
    let veto = |address| failure::is_own(&shared.own, address).then_some(Veto::Own);
    let host = Host::parse(upstream.host()).map_err(failure::target)?;
    dial(&host, upstream.port().unwrap_or(80), veto)
        .await
        .map_err(|error| failure::upstream_unreachable(upstream, &error))
}

/// Returns the login of an upstream. Every upstream of the rules has one.
pub(crate) fn login<'a>(shared: &'a Shared, upstream: &Origin) -> Result<&'a Login, Refusal> {
    shared.logins.get(upstream).ok_or_else(|| failure::bug("an upstream without a login"))
}

/// Opens a tunnel through an upstream, with a secret when it asks for one.
async fn through(shared: &Shared, upstream: &Origin, target: &Authority) -> Result<Wire, Failed> {
    let login = login(shared, upstream).map_err(Failed::Request)?;
    for _ in 0..MAX_TRIES {
        if let Some(refusal) = login.barred() {
            return Err(Failed::Request(refusal));
        }
        // Connected before the turn is awaited: a dead upstream must not be tried one by one.
        let mut wire = to_upstream(shared, upstream).await.map_err(Failed::Hop)?;
        let vault = &shared.settings.vault;
        let mut ticket = login.ticket(vault).await?;
        let value = ticket.as_ref().map(|ticket| ticket.value.clone());
        let answer = tunnel::connect(&mut wire, target, &shared.via, value.as_ref());
        let step = login::verdict(&mut ticket, answer).await;
        let step = step.map_err(|error| Failed::Hop(failure::handshake(upstream, &error)))?;
        match (step, ticket) {
            (Step::Open { .. }, Some(ticket)) => {
                ticket.accepted();
                return Ok(wire);
            }
            (Step::Open { .. }, None) => {
                login.passed();
                return Ok(wire);
            }
            (Step::Challenge { challenges, connection: _ }, ticket) => {
                login.challenged(ticket, &challenges, vault).await.map_err(Failed::Request)?;
            }
            (Step::Refused { status, reason }, _) => {
                let refusal = failure::refused(upstream, target, status, &reason);
                return Err(Failed::Request(refusal));
            }
            (Step::More, _) => {
                return Err(Failed::Request(failure::bug("a handshake without an end")));
            }
        }
    }
    Err(Failed::Request(login.barred().unwrap_or_else(|| failure::no_credential(upstream))))
}
