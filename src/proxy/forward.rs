//! Requests that are not CONNECT: `http://` in absolute form, forwarded and answered.
//!
//! Nothing is cached or stored: bodies stream both ways at the same time.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::Instant;

use crate::{
    core::{
        auth::choice::Method,
        challenge,
        connect::Connection,
        http1::{Field, Framing, Request, Response},
        origin::Origin,
        pac::question::Question,
        refusal::Refusal,
        target::{Absolute, Authority},
    },
    net::wire::Wire,
    proxy::{
        Shared,
        answer::{Gate, Sent},
        failure, hop,
        hop::{Failed, Named, Wish},
        login::{self, Company, Line, Pass},
        patience::{self, silence},
        pool::Keeps,
        record::Facts,
        retry::Retry,
        route::{Way, Ways, ways},
        stall::Watch,
        through,
        upload::{Begun, Error},
        upstreams::Upstream,
    },
};

/// How many connections one request may use up: the kept one that has gone stale, the first 407,
/// the cached secret that has changed, and the new one.
const MAX_TRIES: u8 = 4;

/// What the session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It breaks the connection, because the answer broke off and nothing else would say so.
    Break,
    /// It reads the next request.
    Next,
    /// It closes.
    Close,
    /// It becomes a tunnel: the server switched protocols.
    Tunnel,
}

/// A connection to the next hop, kept for the next request of the same client.
pub(crate) struct Link {
    pub(crate) to: To,
    pub(crate) wire: Wire,
    fresh: Fresh,
    login: Standing,
}

/// Who is at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The target.
    Target(Authority),
    /// The target, through a tunnel of this upstream.
    Tunnel(Origin, Authority),
    /// An upstream.
    Upstream(Origin),
}

/// Whether a link has logged in, once for all its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Each request says who asks, where that is asked for.
    EachRequest,
    LoggedIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    No,
    Yes,
}

/// A request on its way.
pub(crate) struct Exchange<'a> {
    shared: &'a Arc<Shared>,
    pub(crate) request: Request,
    pub(crate) framing: Framing,
    pub(crate) target: Absolute,
    /// The protocol that it asks to switch to.
    pub(crate) upgrade: Option<Vec<u8>>,
    /// For the access log.
    pub(crate) facts: &'a Facts,
}

/// Serves one request.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    client: &mut Wire,
    link: &mut Option<Link>,
    request: Request,
    facts: &Facts,
) -> Result<After, Refusal> {
    let target = Absolute::parse(&request.target).map_err(failure::target)?;
    facts.asks(&target);
    if request.method.eq_ignore_ascii_case("TRACE") {
        // The answer would show the client what we added, the secret above all.
        return Err(failure::bad_request("TRACE is not served"));
    }
    hop::permitted(shared, &target.authority)?;
    let framing = request.framing().map_err(failure::malformed)?;
    let upgrade = upgrade(&request);
    let exchange = Exchange { shared, request, framing, target, upgrade, facts };
    let mut last = None;
    let ask = || Question::plain(&exchange.target);
    let Ways { ways, probe } = ways(shared, &exchange.target.authority, ask).await?;
    if let Some(upstream) = probe {
        patience::ask(shared, &upstream);
    }
    let mut ways = ways.into_iter();
    while let Some(way) = ways.next() {
        facts.goes(&way);
        let watched = exchange.watched(&way, ways.as_slice());
        for number in 1..=MAX_TRIES {
            let linked = tokio::select! {
                biased;
                linked = exchange.link(link, &way) => linked,
                refusal = silence(shared, watched) => Err(Failed::Hop(refusal)),
            };
            if let Err(mut failed) = linked {
                way.signs(failed.refusal());
                match failed {
                    Failed::Request(refusal) => return Err(refusal),
                    Failed::Hop(refusal) => last = last.or(Some(refusal)),
                }
                break;
            }
            let Some(mut taken) = link.take() else { break };
            match exchange.attempt(client, &mut taken, &way, watched).await {
                Ok(after @ (After::Break | After::Close)) => return Ok(after),
                Ok(after) => {
                    taken.fresh = Fresh::No;
                    *link = Some(taken);
                    return Ok(after);
                }
                Err(Retry::Again) => {}
                Err(Retry::Elsewhere(mut refusal)) => {
                    way.signs(&mut refusal);
                    last = last.or(Some(refusal));
                    break;
                }
                Err(Retry::Failed(mut refusal)) => {
                    way.signs(&mut refusal);
                    return Err(refusal);
                }
            }
            if let (Way::Through(upstream), MAX_TRIES) = (&way, number) {
                return Err(failure::endless_login(&upstream.origin));
            }
        }
    }
    Err(last.unwrap_or_else(|| failure::too_late(&exchange.target.authority)))
}

/// Returns the protocol to switch to. Only a request without a body may ask (RFC 9110 §7.8), and
/// HTTP/2 in clear is not passed on: it would hide requests from us.
fn upgrade(request: &Request) -> Option<Vec<u8>> {
    let asked = request.fields.has_word("connection", "upgrade")
        && !request.fields.has_word("upgrade", "h2c")
        && request.framing() == Ok(Framing::Empty);
    let protocol = request.fields.all("upgrade").next()?;
    asked.then(|| protocol.to_vec())
}

impl Exchange<'_> {
    /// Returns whether it may be sent again when nobody knows what became of it (RFC 9110 §9.2.2).
    pub(crate) fn may_repeat(&self) -> bool {
        self.framing == Framing::Empty
            && matches!(self.request.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Returns the upstream whose silence sends the request to another one. Nobody goes direct
    /// because a proxy is silent.
    fn watched<'w>(&self, way: &'w Way, next: &[Way]) -> Option<&'w Arc<Upstream>> {
        let Way::Through(upstream) = way else { return None };
        let is_left = matches!(next, [Way::Through(_), ..]);
        let is_http = upstream.origin.scheme() != "socks5h";
        (is_left && is_http && self.may_repeat()).then_some(upstream)
    }

    /// Makes sure that there is a connection. A kept one is used for requests that may be repeated,
    /// because the server may be closing it this moment (RFC 9112 §9.3.1).
    async fn link(&self, link: &mut Option<Link>, way: &Way) -> Result<(), Failed> {
        let to = self.to(way);
        if let Some(kept) = link.as_mut().filter(|link| self.may_repeat() && link.to == to)
            && kept.wire.is_silent()
        {
            return Ok(());
        }
        *link = None;
        let (target, deadline) = (&self.target.authority, Instant::now() + hop::TOTAL);
        let (wire, login) = match (way, &to) {
            (Way::Through(upstream), To::Upstream(_)) => self.to_upstream(upstream).await?,
            (Way::Through(upstream), _) => {
                let wish = Wish::new(self.shared, target.clone(), &self.request.fields);
                let wire = through::tunnel(self.shared, upstream, &wish, deadline).await?;
                (wire, Standing::EachRequest)
            }
            (Way::Direct, _) => {
                let wire =
                    hop::direct(self.shared, target, Named::ByOthers).await.map_err(Failed::Hop)?;
                (wire, Standing::EachRequest)
            }
        };
        *link = Some(Link { to, wire, fresh: Fresh::Yes, login });
        Ok(())
    }

    /// Connects to an upstream; where the login lives on the connection, it logs in first.
    async fn to_upstream(&self, upstream: &Arc<Upstream>) -> Result<(Wire, Standing), Failed> {
        if let Some(failed) = upstream.login.barred() {
            return Err(failed);
        }
        if upstream.login.method().is_some_and(Method::binds_connection) {
            let wire = through::for_requests(self.shared, upstream).await?;
            let forgets = || Failed::Request(failure::forgets_login(&upstream.origin));
            return Ok((wire.ok_or_else(forgets)?, Standing::LoggedIn));
        }
        Ok((hop::to_upstream(self.shared, upstream).await?, Standing::EachRequest))
    }

    fn to(&self, way: &Way) -> To {
        let target = || self.target.authority.clone();
        match way {
            Way::Direct => To::Target(target()),
            Way::Through(upstream) if upstream.origin.scheme() == "socks5h" => {
                To::Tunnel(upstream.origin.clone(), target())
            }
            Way::Through(upstream) => To::Upstream(upstream.origin.clone()),
        }
    }

    async fn attempt(
        &self,
        client: &mut Wire,
        link: &mut Link,
        way: &Way,
        watched: Option<&Arc<Upstream>>,
    ) -> Result<After, Retry> {
        match way {
            Way::Through(upstream) if matches!(link.to, To::Upstream(_)) => {
                self.attempt_via(client, link, upstream, watched).await
            }
            Way::Direct | Way::Through(_) => {
                let (fresh, to) = (link.fresh, link.to.clone());
                let mut sent = Sent::new(self, client, link, None, Gate::Open);
                let response =
                    sent.response().await.map_err(|error| self.stale(error, fresh, &to))?;
                if response.status == 407 {
                    return Err(Retry::Failed(failure::direct_407(&self.target.authority)));
                }
                sent.relay(response).await.map_err(Retry::Failed)
            }
        }
    }

    async fn attempt_via(
        &self,
        client: &mut Wire,
        link: &mut Link,
        upstream: &Upstream,
        watched: Option<&Arc<Upstream>>,
    ) -> Result<After, Retry> {
        let (fresh, to, standing) = (link.fresh, link.to.clone(), link.login);
        let login = &upstream.login;
        let (mut pass, mut value) = (None, None);
        if standing == Standing::EachRequest {
            pass = login.pass(Company::Welcome).await?;
        }
        // The connection has to log in before the request; only now it is known that it has to.
        if pass.as_ref().is_some_and(Pass::binds_connection) {
            return Err(Retry::Again);
        }
        if let Some(pass) = &mut pass {
            let signed = self.signed(&link.wire);
            let Some(said) = login.say(pass, &signed).await? else { return Err(Retry::Again) };
            value = said;
            let may_keep = login.method().is_some_and(Method::may_bind_connection);
            if may_keep && upstream.pool.keeps() != Keeps::No {
                link.login = Standing::LoggedIn;
            }
        }
        let may_be_challenged =
            standing == Standing::EachRequest && login.may_be_challenged(pass.as_ref());
        let gate = if may_be_challenged { Gate::Challenge } else { Gate::Open };
        let mut sent = Sent::new(self, client, link, value.as_ref(), gate);
        let response = self.answer(&mut sent, &mut pass, watched).await?;
        let response = response.map_err(|error| {
            // What has gone stale was closed before the proof came.
            let is_lost = error.is_broken_off() && fresh == Fresh::Yes;
            if let Some(pass) = pass.as_ref().filter(|_| is_lost) {
                pass.was_broken_off();
            }
            self.unanswered(error, fresh, &to, upstream)
        })?;
        upstream.works();
        if response.status == 407 {
            if standing == Standing::LoggedIn {
                upstream.pool.doubt();
            }
            if pass.as_ref().is_some_and(Pass::has_proven) {
                login.note_page(&sent.page(&response).await);
            }
            return Err(self.challenged(upstream, pass, &response, sent.upload.begun()).await);
        }
        // Taken, so that nobody waits for the body of this answer before it can log in.
        match pass.take() {
            // What only the target can have said shows that the secret was accepted; a refusal of
            // the proxy itself may have come before it looked at the secret.
            Some(pass) if matches!(response.status, 100..=399 | 401 | 404 | 410) => {
                pass.accepted(response.fields.all("proxy-authentication-info").next());
            }
            None if standing == Standing::EachRequest => login.passed(),
            Some(_) | None => {}
        }
        sent.relay(response).await.map_err(Retry::Failed)
    }

    /// Waits for the answer, or for the upstream to turn out to be silent.
    async fn answer(
        &self,
        sent: &mut Sent<'_>,
        pass: &mut Option<Pass>,
        watched: Option<&Arc<Upstream>>,
    ) -> Result<Result<Response, Error>, Retry> {
        let response = pin!(sent.response());
        tokio::select! {
            biased;
            response = login::verdict(pass, response) => Ok(response),
            refusal = silence(self.shared, watched) => Err(Retry::Elsewhere(refusal)),
        }
    }

    /// Learns from a 407. The next attempt is made on a connection of its own.
    async fn challenged(
        &self,
        upstream: &Upstream,
        pass: Option<Pass>,
        response: &Response,
        begun: Begun,
    ) -> Retry {
        let values = response.fields.all("proxy-authenticate");
        let challenges: Vec<_> = values.flat_map(challenge::parse).collect();
        match upstream.login.challenged(pass, challenges, Connection::Closed).await {
            Err(refusal) => Retry::Failed(refusal),
            Ok(next) => {
                if let Some(next) = next {
                    next.put_by();
                }
                match begun {
                    Begun::No => Retry::Again,
                    Begun::Yes => Retry::Failed(failure::body_was_sent(&upstream.origin)),
                }
            }
        }
    }

    /// Returns what a login signs.
    fn signed(&self, wire: &Wire) -> Line {
        Line {
            method: self.request.method.clone(),
            uri: self.target.absolute_form(),
            certificate: wire.certificate(),
        }
    }

    /// Counts bytes of the body that the next hop has taken.
    pub(crate) fn passed_up(&self, bytes: u64) {
        self.facts.up.fetch_add(bytes, Ordering::Relaxed);
        self.shared.tell.meter.bytes_up.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes of the answer that the client has taken.
    pub(crate) fn passed_down(&self, bytes: usize) {
        self.facts.down.fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.tell.meter.bytes_down.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns what knows who would wait for ever.
    pub(crate) fn watch(&self) -> &Watch {
        &self.shared.watch
    }

    /// Tells of something that the client cannot be told any more.
    pub(crate) fn tells(&self, finding: &Refusal) {
        self.shared.tell.tell(finding);
    }

    /// Names who answers, for people: the proxy may be at fault as well as the target behind it.
    pub(crate) fn answerer(&self, to: &To) -> String {
        let target = &self.target.authority;
        match to {
            To::Target(target) => target.to_string(),
            To::Tunnel(upstream, _) | To::Upstream(upstream) => {
                format!("the proxy {} for {target}", upstream.authority())
            }
        }
    }

    /// Returns the head for the next hop.
    pub(crate) fn head(&self, to: &To) -> Vec<u8> {
        let mut request = self.request.clone();
        request.fields.remove_hop_by_hop();
        request.fields.remove("host");
        request
            .fields
            .0
            .insert(0, Field { name: "Host".into(), value: self.target.host.clone().into_bytes() });
        request.fields.push("Via", self.shared.via.as_str());
        if self.framing == Framing::Chunked {
            request.fields.push("Transfer-Encoding", "chunked");
        }
        if let Some(protocol) = &self.upgrade {
            request.fields.push("Connection", "upgrade");
            request.fields.push("Upgrade", protocol.clone());
        }
        let target = match to {
            To::Target(_) | To::Tunnel(..) => self.target.origin_form(&request.method),
            To::Upstream(_) => self.target.absolute_form(),
        };
        let mut head = Vec::new();
        request.encode(&target, &mut head);
        head
    }
}
