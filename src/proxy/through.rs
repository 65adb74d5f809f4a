//! A tunnel, or a connection that has logged in, through one upstream.
//!
//! Three ways lead there. A spare connection that has logged in takes the CONNECT as it is. Where the
//! upstream keeps the login with the connection, a new one logs in first, which no target can delay.
//! Else, and the first time, the CONNECT itself carries the login.

use std::{pin::pin, sync::Arc};

use tokio::time::Instant;

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
        hop::{Failed, TOTAL, Wish, to_upstream},
        kept,
        login::{Company, Line, Pass, verdict},
        metrics::Stage,
        pool::{Keeps, Pool},
        socks,
        upstreams::Upstream,
    },
};

/// How many exchanges one connection may cost: two logins of three messages, and what comes between.
const MAX_ROUNDS: u8 = 8;

/// Opens a tunnel through an upstream, with a login when it asks for one.
pub(crate) async fn tunnel(
    shared: &Arc<Shared>,
    upstream: &Arc<Upstream>,
    wish: &Wish,
    deadline: Instant,
) -> Result<Wire, Failed> {
    if upstream.origin.scheme() == "socks5h" {
        return socks::tunnel(shared, upstream, &wish.target).await;
    }
    if let Some(failed) = upstream.login.barred() {
        return Err(failed);
    }
    let mut opened = Ok(None);
    match logged_in(shared, upstream, deadline).await {
        Ok(Some(wire)) => opened = kept::tunnel(shared, upstream, wish, wire, deadline).await,
        Ok(None) => {}
        Err(failed) => opened = Err(failed),
    }
    if matches!(opened, Ok(None)) {
        opened = converse(shared, upstream, Goal::Tunnel(wish), deadline).await;
    }
    // Not before: to make a spare connection would slow this one down.
    if opened.is_ok() || upstream.pool.keeps() == Keeps::Yes {
        refill(shared, upstream);
    }
    opened?.ok_or_else(|| Failed::Request(failure::bug("a tunnel that is none")))
}

/// Returns a connection that has logged in, where the upstream keeps logins with connections and has
/// accepted one: a spare one, or a new one where `Method` needs that.
async fn logged_in(
    shared: &Shared,
    upstream: &Upstream,
    deadline: Instant,
) -> Result<Option<Wire>, Failed> {
    let may_bind = upstream.login.method().is_some_and(Method::may_bind_connection);
    if !may_bind || upstream.pool.keeps() == Keeps::No {
        return Ok(None);
    }
    let spare = upstream.pool.take();
    if upstream.pool.keeps() == Keeps::Unknown {
        return Ok(None);
    }
    // A ticket takes no further round trip; NTLM does, and a slow target would keep others waiting.
    let binds = upstream.login.method().is_some_and(Method::binds_connection);
    if spare.is_some() || !binds {
        return Ok(spare);
    }
    converse(shared, upstream, Goal::LogIn, deadline).await
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
    if upstream.pool.surely_keeps()
        && let Some(wire) = upstream.pool.take()
    {
        return Ok(Some(wire));
    }
    spare(shared, upstream).await
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
    Tunnel(&'a Wish),
}

/// Connects, asks, and logs in, until the goal is reached or cannot be. `None`: the upstream does not
/// log a connection in without a target.
async fn converse(
    shared: &Shared,
    upstream: &Upstream,
    goal: Goal<'_>,
    deadline: Instant,
) -> Result<Option<Wire>, Failed> {
    let mut talk = Talk { shared, upstream, goal, deadline, line: None, pass: None };
    for _ in 0..MAX_ROUNDS {
        if let Some(end) = talk.round().await? {
            return Ok(end);
        }
    }
    let endless = || Failed::Request(failure::endless_login(&upstream.origin));
    Err(upstream.login.barred().unwrap_or_else(endless))
}

/// A conversation under way.
struct Talk<'a> {
    shared: &'a Shared,
    upstream: &'a Upstream,
    goal: Goal<'a>,
    deadline: Instant,
    /// The connection that the last answer left open.
    line: Option<Wire>,
    pass: Option<Pass>,
}

impl Talk<'_> {
    /// Asks once. `None`: it has to ask again.
    async fn round(&mut self) -> Result<Option<Option<Wire>>, Failed> {
        let Self { shared, upstream, goal, deadline, line: _, pass: _ } = *self;
        let login = &upstream.login;
        if self.pass.is_none()
            && let Some(failed) = login.barred()
        {
            return Err(failed);
        }
        // Connected before the turn is awaited: a dead upstream must not be tried one by one.
        let (mut wire, fresh) = match self.line.take() {
            Some(wire) => (wire, Fresh::No),
            None => (to_upstream(shared, upstream).await?, Fresh::Yes),
        };
        if self.pass.is_none() {
            self.pass = login.pass(goal.company()).await?;
        }
        let exchange = exchange(upstream, goal).map_err(Failed::Request)?;
        let mut value = None;
        if let Some(pass) = &mut self.pass {
            let (method, uri) = exchange.line();
            let signed = Line { method: method.to_owned(), uri, certificate: wire.certificate() };
            let Some(said) = login.say(pass, &signed).await? else {
                (self.pass, self.line) = (None, Some(wire));
                return Ok(None);
            };
            value = said;
        }
        let via = goal.via(shared);
        let answer = {
            let ask = pin!(tunnel::ask(&mut wire, exchange, via, value.as_ref(), deadline));
            verdict(&mut self.pass, ask).await
        };
        match (answer, fresh) {
            (Ok(step), _) => {
                upstream.works();
                self.judge(step, wire).await
            }
            // It said that it would keep the connection, and did not.
            (Err(Error::Closed | Error::Reset | Error::Broken(_)), Fresh::No) => {
                if let Some(begun) = self.pass.take() {
                    let begun = begun.on_another_connection(&upstream.origin);
                    self.pass = Some(begun.map_err(Failed::Request)?);
                }
                Ok(None)
            }
            (Err(error), _) => {
                if let Some(pass) = self.pass.as_ref().filter(|_| !matches!(error, Error::Silent)) {
                    pass.was_broken_off();
                }
                Err(broken(upstream, &error))
            }
        }
    }

    /// Takes an answer.
    async fn judge(&mut self, step: Step, wire: Wire) -> Result<Option<Option<Wire>>, Failed> {
        let (upstream, pass) = (self.upstream, self.pass.take());
        match step {
            Step::Open { early: _, info } => {
                self.time_login(pass.as_ref());
                match pass {
                    Some(pass) => pass.accepted(info.as_deref()),
                    None => upstream.login.passed(),
                }
                Ok(Some(Some(wire)))
            }
            Step::LoggedIn { status: _, connection } => {
                self.time_login(pass.as_ref());
                Ok(Some(logged(upstream, pass, connection).then_some(wire)))
            }
            Step::Challenge { .. } if self.is_trial(pass.as_ref()) => {
                upstream.pool.learn(Keeps::No);
                Ok(Some(None))
            }
            Step::Challenge { challenges, connection, page } => {
                upstream.login.note_page(&page);
                let onward = upstream.login.challenged(pass, challenges, connection).await;
                self.pass = onward.map_err(Failed::Request)?;
                self.line = (connection == Connection::Kept).then_some(wire);
                Ok(None)
            }
            Step::Refused { status, reason, retry_after } => {
                // NTLM was asked for twice on this connection: the third answer is about the target.
                if let Some(pass) = pass.filter(Pass::is_bound_and_proven) {
                    pass.accepted(None);
                }
                Err(refused(upstream, self.goal, status, &reason, retry_after))
            }
            Step::More => Err(Failed::Request(failure::bug("a handshake without an end"))),
        }
    }

    /// Measures a login that has come to its end.
    fn time_login(&self, pass: Option<&Pass>) {
        if let Some(pass) = pass.filter(|pass| pass.has_proven()) {
            self.shared.metrics.took(Stage::Login, pass.age());
        }
    }

    /// Returns whether a 407 is the request's fault: a proxy that takes the request to log in for
    /// somebody else's may answer it for that reason. The secret was accepted a moment ago.
    fn is_trial(&self, pass: Option<&Pass>) -> bool {
        matches!(self.goal, Goal::LogIn)
            && self.upstream.pool.keeps() == Keeps::Unknown
            && pass.is_some_and(Pass::repeats_success)
    }
}

impl<'a> Goal<'a> {
    fn via(self, shared: &'a Shared) -> &'a str {
        match self {
            Self::LogIn => &shared.via,
            Self::Tunnel(wish) => &wish.via,
        }
    }

    fn company(self) -> Company {
        match self {
            Self::LogIn => Company::Late,
            Self::Tunnel(_) => Company::Welcome,
        }
    }
}

fn exchange(upstream: &Upstream, goal: Goal<'_>) -> Result<Connect, Refusal> {
    match goal {
        Goal::Tunnel(wish) => Ok(Connect::new(&wish.target)),
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

fn refused(
    upstream: &Upstream,
    goal: Goal<'_>,
    status: u16,
    reason: &[u8],
    later: Option<String>,
) -> Failed {
    Failed::Request(match goal {
        Goal::Tunnel(wish) => {
            failure::refused(&upstream.origin, &wish.target, status, reason, later)
        }
        Goal::LogIn => failure::bug("a refusal of a login is an answer"),
    })
}

pub(crate) fn broken(upstream: &Upstream, error: &Error) -> Failed {
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
                upstream.pool.lull().await;
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
pub(crate) async fn spare(shared: &Shared, upstream: &Upstream) -> Result<Option<Wire>, Failed> {
    let made = converse(shared, upstream, Goal::LogIn, Instant::now() + TOTAL).await?;
    let Some(wire) = made.filter(|_| upstream.pool.keeps() != Keeps::No) else { return Ok(None) };
    if upstream.pool.surely_keeps() {
        return Ok(Some(wire));
    }
    let wire = again(shared, upstream, wire).await;
    upstream.pool.learn(if wire.is_some() { Keeps::Yes } else { Keeps::No });
    Ok(wire)
}

/// Asks an upstream for its own front page, which anybody may do and no target can delay: its health
/// is what comes of it.
pub(crate) async fn front_page(shared: &Shared, upstream: &Upstream) {
    let (Ok(exchange), Ok(mut wire)) =
        (exchange(upstream, Goal::LogIn), to_upstream(shared, upstream).await)
    else {
        return;
    };
    let deadline = Instant::now() + TOTAL;
    match tunnel::ask(&mut wire, exchange, &shared.via, None, deadline).await {
        Ok(_) => upstream.works(),
        Err(_) => upstream.fails(),
    }
}

/// Asks once more on a connection that has logged in, without saying who asks.
async fn again(shared: &Shared, upstream: &Upstream, mut wire: Wire) -> Option<Wire> {
    let exchange = exchange(upstream, Goal::LogIn).ok()?;
    let deadline = Instant::now() + TOTAL;
    let step = tunnel::ask(&mut wire, exchange, &shared.via, None, deadline).await.ok()?;
    matches!(step, Step::LoggedIn { status: _, connection: Connection::Kept }).then_some(wire)
}
