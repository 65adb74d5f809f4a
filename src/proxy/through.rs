//! A tunnel, or a connection that has logged in, through one upstream.
//!
//! Three ways lead there. A spare connection that has logged in takes the CONNECT as it is. Where the
//! upstream keeps the login with the connection, a new one logs in first, which no target can delay.
//! Else, and the first time, the CONNECT itself carries the login.

use std::sync::Arc;

use crate::{
    core::{
        auth::choice::Method,
        config::upstream_port,
        connect::{Connect, Connection, Step},
        refusal::Refusal,
        target::{Authority, Host},
    },
    net::{
        tunnel::{self, Error},
        wire::Wire,
    },
    proxy::{
        Shared, failure,
        hop::{Failed, to_upstream},
        login::{Company, Line, Onward, Pass, verdict},
        pool::{Keeps, Pool},
        upstreams::Upstream,
    },
};

/// How many exchanges one connection may cost: two logins of three messages, and what comes between.
const MAX_ROUNDS: u8 = 8;

/// Opens a tunnel through an upstream, with a login when it asks for one.
pub(crate) async fn tunnel(
    shared: &Arc<Shared>,
    upstream: &Arc<Upstream>,
    target: &Authority,
) -> Result<Wire, Failed> {
    if let Some(refusal) = upstream.login.barred() {
        return Err(Failed::Request(refusal));
    }
    if let Some(wire) = logged_in(shared, upstream).await?
        && let Some(wire) = through_spare(shared, upstream, target, wire).await?
    {
        return Ok(wire);
    }
    let opened = converse(shared, upstream, Goal::Tunnel(target)).await?;
    refill(shared, upstream);
    opened.ok_or_else(|| Failed::Request(failure::bug("a tunnel that is none")))
}

/// Returns a connection that has logged in, where the upstream keeps logins with connections and has
/// accepted one: a spare one, or a new one where `Method` needs that.
pub(crate) async fn logged_in(
    shared: &Arc<Shared>,
    upstream: &Arc<Upstream>,
) -> Result<Option<Wire>, Failed> {
    let may_bind = upstream.login.method().is_some_and(Method::may_bind_connection);
    if !may_bind || upstream.pool.keeps() == Keeps::No {
        return Ok(None);
    }
    let spare = upstream.pool.take();
    if upstream.pool.keeps() == Keeps::Unknown {
        return Ok(None);
    }
    refill(shared, upstream);
    // A ticket takes no further round trip; NTLM does, and a slow target would keep others waiting.
    let binds = upstream.login.method().is_some_and(Method::binds_connection);
    if spare.is_some() || !binds {
        return Ok(spare);
    }
    converse(shared, upstream, Goal::LogIn).await
}

/// Returns a connection that has logged in, for requests that carry no login. `None`: the upstream
/// forgets who logged in.
pub(crate) async fn for_requests(
    shared: &Arc<Shared>,
    upstream: &Arc<Upstream>,
) -> Result<Option<Wire>, Failed> {
    if upstream.pool.keeps() == Keeps::No {
        return Ok(None);
    }
    if let Some(wire) = upstream.pool.take() {
        return Ok(Some(wire));
    }
    spare(shared, upstream).await
}

/// Sends a CONNECT on a connection that has logged in. `None`: it is of no use after all.
async fn through_spare(
    shared: &Shared,
    upstream: &Upstream,
    target: &Authority,
    mut wire: Wire,
) -> Result<Option<Wire>, Failed> {
    match tunnel::ask(&mut wire, Connect::new(target), &shared.via, None).await {
        Ok(Step::Open { .. }) => {
            upstream.works();
            Ok(Some(wire))
        }
        Ok(Step::Refused { status, reason }) => {
            upstream.works();
            Err(Failed::Request(failure::refused(&upstream.origin, target, status, &reason)))
        }
        // It does not keep the login: the CONNECT has to carry it.
        Ok(Step::Challenge { .. }) => {
            upstream.pool.learn(Keeps::No);
            Ok(None)
        }
        Ok(Step::More | Step::LoggedIn { .. }) => {
            Err(Failed::Request(failure::bug("an answer without an end")))
        }
        // Closed in the meantime; nothing is lost with a CONNECT that was not answered.
        Err(Error::Closed | Error::Reset | Error::Broken(_)) => Ok(None),
        Err(error) => Err(broken(upstream, &error)),
    }
}

/// Whether a connection is new, or was said to stay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    No,
    Yes,
}

/// What a conversation is for.
#[derive(Clone, Copy)]
enum Goal<'a> {
    /// A connection that has logged in, and has no target yet.
    LogIn,
    Tunnel(&'a Authority),
}

/// Connects, asks, and logs in, until the goal is reached or cannot be. `None`: the upstream does not
/// log a connection in without a target.
async fn converse(
    shared: &Shared,
    upstream: &Upstream,
    goal: Goal<'_>,
) -> Result<Option<Wire>, Failed> {
    let login = &upstream.login;
    let company = match goal {
        Goal::LogIn => Company::Never,
        Goal::Tunnel(_) => Company::Welcome,
    };
    let (mut line, mut pass): (Option<Wire>, Option<Pass>) = (None, None);
    for _ in 0..MAX_ROUNDS {
        if pass.is_none()
            && let Some(refusal) = login.barred()
        {
            return Err(Failed::Request(refusal));
        }
        // Connected before the turn is awaited: a dead upstream must not be tried one by one.
        let (mut wire, fresh) = match line.take() {
            Some(wire) => (wire, Fresh::No),
            None => (to_upstream(shared, upstream).await?, Fresh::Yes),
        };
        if pass.is_none() {
            pass = login.pass(company).await?;
        }
        let exchange = exchange(upstream, goal).map_err(Failed::Request)?;
        let value = match &mut pass {
            None => None,
            Some(turn) => {
                let (method, uri) = exchange.line();
                let signed =
                    Line { method: method.to_owned(), uri, certificate: wire.certificate() };
                let Some(value) = login.say(turn, &signed).await? else {
                    pass = None;
                    line = Some(wire);
                    continue;
                };
                value
            }
        };
        let answer = tunnel::ask(&mut wire, exchange, &shared.via, value.as_ref());
        let step = match (verdict(&mut pass, answer).await, fresh) {
            (Ok(step), _) => step,
            // It said that it would keep the connection, and did not.
            (Err(Error::Closed | Error::Reset | Error::Broken(_)), Fresh::No) => {
                if let Some(begun) = pass.take() {
                    let begun = begun.on_another_connection(&upstream.origin);
                    pass = Some(begun.map_err(Failed::Request)?);
                }
                continue;
            }
            (Err(error), _) => return Err(broken(upstream, &error)),
        };
        upstream.works();
        match step {
            Step::Open { early: _, info } => {
                match pass {
                    Some(pass) => pass.accepted(info.as_deref()),
                    None => login.passed(),
                }
                return Ok(Some(wire));
            }
            Step::LoggedIn { status: _, connection } => {
                return Ok(logged(upstream, pass, connection).then_some(wire));
            }
            Step::Challenge { challenges, connection } => {
                let is_trial = matches!(goal, Goal::LogIn)
                    && upstream.pool.keeps() == Keeps::Unknown
                    && pass.as_ref().is_some_and(Pass::repeats_success);
                if is_trial {
                    // A proxy that takes this request for somebody else's may answer 407 for that
                    // reason. The secret was accepted a moment ago: the request is at fault.
                    upstream.pool.learn(Keeps::No);
                    return Ok(None);
                }
                match login.challenged(pass.take(), challenges, connection).await {
                    Ok(Onward::Next(next)) => pass = Some(next),
                    Ok(Onward::Anew) => {}
                    Err(refusal) => return Err(Failed::Request(refusal)),
                }
                line = (connection == Connection::Kept).then_some(wire);
            }
            Step::Refused { status, reason } => {
                // NTLM was asked for twice on this connection: the third answer is about the target.
                if let Some(pass) = pass.filter(Pass::is_bound_and_proven) {
                    pass.accepted(None);
                }
                return Err(refused(upstream, goal, status, &reason));
            }
            Step::More => return Err(Failed::Request(failure::bug("a handshake without an end"))),
        }
    }
    Err(Failed::Request(login.barred().unwrap_or_else(|| failure::endless_login(&upstream.origin))))
}

fn exchange(upstream: &Upstream, goal: Goal<'_>) -> Result<Connect, Refusal> {
    match goal {
        Goal::Tunnel(target) => Ok(Connect::new(target)),
        Goal::LogIn => {
            let host = Host::parse(upstream.origin.host()).map_err(failure::target)?;
            let port = upstream_port(&upstream.origin).unwrap_or(80);
            Ok(Connect::log_in(&Authority { host, port }))
        }
    }
}

/// Judges a connection whose request to log in was answered: whether it is of use.
fn logged(upstream: &Upstream, pass: Option<Pass>, connection: Connection) -> bool {
    match pass {
        Some(pass) if pass.has_proven() => {
            pass.accepted(None);
            // It closes after each answer, whatever it knows of it.
            if connection == Connection::Closed {
                upstream.pool.learn(Keeps::No);
            }
            connection == Connection::Kept
        }
        // It answers this request to everybody.
        Some(_) | None => {
            upstream.pool.learn(Keeps::No);
            false
        }
    }
}

fn refused(upstream: &Upstream, goal: Goal<'_>, status: u16, reason: &[u8]) -> Failed {
    Failed::Request(match goal {
        Goal::Tunnel(target) => failure::refused(&upstream.origin, target, status, reason),
        Goal::LogIn => failure::bug("a refusal of a login is an answer"),
    })
}

fn broken(upstream: &Upstream, error: &Error) -> Failed {
    upstream.fails();
    Failed::Hop(failure::handshake(&upstream.origin, error))
}

/// Makes spare connections, as many as are wanted now.
fn refill(shared: &Arc<Shared>, upstream: &Arc<Upstream>) {
    let may_bind = upstream.login.method().is_some_and(Method::may_bind_connection);
    if !may_bind || *shared.stopping.borrow() {
        return;
    }
    while let Some(era) = upstream.pool.begin() {
        let (shared, upstream) = (Arc::clone(shared), Arc::clone(upstream));
        tokio::spawn(async move {
            let mut era = Some(era);
            while let Some(now) = era.take() {
                let made = spare(&shared, &upstream).await.ok().flatten();
                let worked = made.is_some();
                Pool::end(&upstream, now, made);
                if worked {
                    era = upstream.pool.begin();
                }
            }
        });
    }
}

/// Makes one spare connection. The first one is tried, so that no request has to find out that the
/// upstream forgets who logged in.
async fn spare(shared: &Shared, upstream: &Upstream) -> Result<Option<Wire>, Failed> {
    let made = converse(shared, upstream, Goal::LogIn).await?;
    let Some(wire) = made.filter(|_| upstream.pool.keeps() != Keeps::No) else { return Ok(None) };
    if upstream.pool.keeps() == Keeps::Yes {
        return Ok(Some(wire));
    }
    let wire = again(shared, upstream, wire).await;
    upstream.pool.learn(if wire.is_some() { Keeps::Yes } else { Keeps::No });
    Ok(wire)
}

/// Asks once more on a connection that has logged in, without saying who asks.
async fn again(shared: &Shared, upstream: &Upstream, mut wire: Wire) -> Option<Wire> {
    let exchange = exchange(upstream, Goal::LogIn).ok()?;
    let step = tunnel::ask(&mut wire, exchange, &shared.via, None).await.ok()?;
    matches!(step, Step::LoggedIn { status: _, connection: Connection::Kept }).then_some(wire)
}
