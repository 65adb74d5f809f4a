//! Requests that are not CONNECT: `http://` in absolute form, forwarded and answered.
//!
//! Nothing is cached or stored: bodies stream both ways at the same time.

use std::io;

use crate::{
    core::{
        challenge,
        http1::{Field, Framing, Request},
        origin::Origin,
        refusal::Refusal,
        target::{Absolute, Authority},
        upstream::{Hop, route},
    },
    net::wire::{HeadError, Wire},
    proxy::{
        Shared,
        answer::{Gate, Sent},
        failure, hop, login,
        upload::{Begun, Error},
    },
};

/// How many connections one request may use up: the kept one that has gone stale, the first 407,
/// the cached secret that has changed, and the new one.
const MAX_TRIES: u8 = 4;

/// What the session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It reads the next request.
    Next,
    /// It closes.
    Close,
    /// It becomes a tunnel: the server switched protocols.
    Tunnel,
}

/// A connection to the next hop, kept for the next request of the same client.
pub(crate) struct Link {
    pub(crate) hop: Hop,
    /// The target, where the hop is direct.
    target: Authority,
    pub(crate) wire: Wire,
    fresh: Fresh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    No,
    Yes,
}

/// A request on its way.
pub(crate) struct Exchange<'a> {
    shared: &'a Shared,
    pub(crate) request: Request,
    pub(crate) framing: Framing,
    pub(crate) target: Absolute,
    /// The protocol that it asks to switch to.
    pub(crate) upgrade: Option<Vec<u8>>,
}

/// How one attempt ended without a response for the client.
enum Retry {
    /// The secret was rejected, or asked for, or the kept connection was stale: try again.
    Again,
    Failed(Refusal),
}

impl From<hop::Failed> for Retry {
    fn from(failed: hop::Failed) -> Self {
        match failed {
            hop::Failed::Request(refusal) | hop::Failed::Hop(refusal) => Self::Failed(refusal),
        }
    }
}

/// Serves one request.
pub(crate) async fn run(
    shared: &Shared,
    client: &mut Wire,
    link: &mut Option<Link>,
    request: Request,
) -> Result<After, Refusal> {
    let target = Absolute::parse(&request.target).map_err(failure::target)?;
    if request.method.eq_ignore_ascii_case("TRACE") {
        // The answer would show the client what we added, the secret above all.
        return Err(failure::bad_request("TRACE is not served"));
    }
    hop::permitted(shared, &target.authority)?;
    let framing = request.framing().map_err(failure::malformed)?;
    let upgrade = upgrade(&request);
    let exchange = Exchange { shared, request, framing, target, upgrade };
    let mut last = None;
    for hop in route(&exchange.target.authority, &shared.settings.rules) {
        for _ in 0..MAX_TRIES {
            if let Err(refusal) = exchange.link(link, &hop).await {
                match refusal {
                    hop::Failed::Request(refusal) => return Err(refusal),
                    hop::Failed::Hop(refusal) => last = Some(refusal),
                }
                break;
            }
            let Some(mut taken) = link.take() else { break };
            match exchange.attempt(client, &mut taken).await {
                Ok(After::Close) => return Ok(After::Close),
                Ok(after) => {
                    taken.fresh = Fresh::No;
                    *link = Some(taken);
                    return Ok(after);
                }
                Err(Retry::Again) => {}
                Err(Retry::Failed(refusal)) => return Err(refusal),
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
    /// Makes sure that there is a connection to a hop. A kept one is used for requests that may be
    /// repeated, because the server may be closing it this moment (RFC 9112 §9.3.1).
    async fn link(&self, link: &mut Option<Link>, hop: &Hop) -> Result<(), hop::Failed> {
        let may_repeat = self.framing == Framing::Empty
            && matches!(self.request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let target = &self.target.authority;
        let fits =
            |link: &Link| link.hop == *hop && (*hop != Hop::Direct || link.target == *target);
        if link.as_ref().is_some_and(|link| may_repeat && fits(link)) {
            return Ok(());
        }
        *link = None;
        let wire = match hop {
            Hop::Direct => hop::direct(self.shared, target).await.map_err(hop::Failed::Hop)?,
            Hop::Via(upstream) => {
                let login = hop::login(self.shared, upstream).map_err(hop::Failed::Request)?;
                if let Some(refusal) = login.barred() {
                    return Err(hop::Failed::Request(refusal));
                }
                hop::to_upstream(self.shared, upstream).await.map_err(hop::Failed::Hop)?
            }
        };
        *link = Some(Link { hop: hop.clone(), target: target.clone(), wire, fresh: Fresh::Yes });
        Ok(())
    }

    async fn attempt(&self, client: &mut Wire, link: &mut Link) -> Result<After, Retry> {
        let (fresh, hop) = (link.fresh, link.hop.clone());
        match &hop {
            Hop::Direct => {
                let mut sent = Sent::new(self, client, link, None, Gate::Open);
                let response =
                    sent.response().await.map_err(|error| self.stale(error, fresh, &hop))?;
                if response.status == 407 {
                    return Err(Retry::Failed(failure::direct_407(&self.target.authority)));
                }
                sent.relay(response).await.map_err(Retry::Failed)
            }
            Hop::Via(upstream) => self.attempt_via(client, link, upstream).await,
        }
    }

    async fn attempt_via(
        &self,
        client: &mut Wire,
        link: &mut Link,
        upstream: &Origin,
    ) -> Result<After, Retry> {
        let (fresh, hop) = (link.fresh, link.hop.clone());
        let login = hop::login(self.shared, upstream).map_err(Retry::Failed)?;
        let vault = &self.shared.settings.vault;
        let mut ticket = login.ticket(vault).await?;
        let gate =
            if login.may_be_challenged(ticket.as_ref()) { Gate::Challenge } else { Gate::Open };
        let mut sent = Sent::new(self, client, link, ticket.as_ref(), gate);
        let response = login::verdict(&mut ticket, sent.response()).await;
        let response = response.map_err(|error| self.stale(error, fresh, &hop))?;
        match (response.status, ticket) {
            (407, ticket) => {
                let begun = sent.upload.begun();
                let values = response.fields.all("proxy-authenticate");
                let challenges: Vec<_> = values.flat_map(challenge::parse).collect();
                let learnt = login.challenged(ticket, &challenges, vault).await;
                learnt.map_err(Retry::Failed)?;
                match begun {
                    Begun::No => Err(Retry::Again),
                    Begun::Yes => Err(Retry::Failed(failure::body_was_sent(upstream))),
                }
            }
            (status, Some(ticket)) => {
                // What only the target can have said shows that the secret was accepted; a refusal
                // of the proxy itself may have come before it looked at the secret.
                if matches!(status, 100..=399 | 401 | 404 | 410) {
                    ticket.accepted();
                } else {
                    drop(ticket);
                }
                sent.relay(response).await.map_err(Retry::Failed)
            }
            (_, None) => {
                login.passed();
                sent.relay(response).await.map_err(Retry::Failed)
            }
        }
    }

    /// A kept connection that ends before a byte of the answer was stale, which is no failure.
    fn stale(&self, error: Error, fresh: Fresh, hop: &Hop) -> Retry {
        let from = self.answerer(hop);
        let error = match error {
            Error::Client(refusal) => return Retry::Failed(refusal),
            Error::Server(error) => error,
        };
        match (error, fresh) {
            (HeadError::Broken(_) | HeadError::Closed, Fresh::No) => Retry::Again,
            (HeadError::Broken(error), Fresh::Yes) if error.kind() == io::ErrorKind::TimedOut => {
                Retry::Failed(failure::no_answer(&from))
            }
            (HeadError::Broken(_) | HeadError::Closed, Fresh::Yes) => {
                Retry::Failed(failure::empty_answer(&from))
            }
            (HeadError::Truncated, _) => {
                Retry::Failed(failure::bad_answer(&from, &HeadError::Truncated))
            }
            (HeadError::Http(error), _) => Retry::Failed(failure::bad_answer(&from, &error)),
        }
    }

    /// Names who answers, for people: the proxy may be at fault as well as the target behind it.
    pub(crate) fn answerer(&self, hop: &Hop) -> String {
        let target = &self.target.authority;
        match hop {
            Hop::Direct => target.to_string(),
            Hop::Via(upstream) => format!("the proxy {} for {target}", upstream.authority()),
        }
    }

    /// Returns the head for the next hop.
    pub(crate) fn head(&self, hop: &Hop) -> Vec<u8> {
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
        let target = match hop {
            Hop::Direct => self.target.origin_form(&request.method),
            Hop::Via(_) => self.target.absolute_form(),
        };
        let mut head = Vec::new();
        request.encode(&target, &mut head);
        head
    }
}
