//! Requests that are not CONNECT: `http://` in absolute form, forwarded and answered.
//!
//! Nothing is cached or stored: bodies stream both ways at the same time.

use std::io;

use tokio::{
    io::AsyncWriteExt,
    net::tcp::{ReadHalf, WriteHalf},
    time::{Duration, Instant, sleep_until, timeout},
};

use crate::{
    core::{
        challenge,
        connect::with_authorization,
        http1::{self, Body, Coding, Framing, HeadReader, Request, Response, Version},
        origin::Origin,
        refusal::Refusal,
        target::{Absolute, Authority},
        upstream::{Hop, route},
    },
    net::wire::{HeadError, Wire, fill, read_head},
    proxy::{Shared, failure, hop, login::Ticket},
};

/// How long nothing may move before an exchange is given up.
const SILENCE: Duration = Duration::from_secs(120);
/// How long an upload waits for a 407 where one may come. A proxy that wants a login says so on
/// seeing the head; one that does not would wait for the body for ever.
const CHALLENGE: Duration = Duration::from_secs(1);
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
    hop: Hop,
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
struct Exchange<'a> {
    shared: &'a Shared,
    request: Request,
    framing: Framing,
    target: Absolute,
    upgrade: Option<Vec<u8>>,
}

/// How one attempt ended without a response for the client.
enum Retry {
    /// The secret was rejected, or asked for, or the kept connection was stale: try again.
    Again,
    Failed(Refusal),
}

/// Serves one request.
pub(crate) async fn run(
    shared: &Shared,
    client: &mut Wire,
    link: &mut Option<Link>,
    request: Request,
) -> Result<After, Refusal> {
    let target = Absolute::parse(&request.target).map_err(failure::target)?;
    if request.method == "TRACE" {
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
                let response = sent.response().await.map_err(|error| self.stale(error, fresh))?;
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
        let fresh = link.fresh;
        let login = hop::login(self.shared, upstream).map_err(Retry::Failed)?;
        let vault = &self.shared.settings.vault;
        let ticket = login.ticket(vault).await.map_err(Retry::Failed)?;
        let gate =
            if login.may_be_challenged(ticket.as_ref()) { Gate::Challenge } else { Gate::Open };
        let mut sent = Sent::new(self, client, link, ticket.as_ref(), gate);
        let response = sent.response().await.map_err(|error| self.stale(error, fresh))?;
        match (response.status, ticket) {
            (407, ticket) => {
                let begun = sent.upload.begun;
                if let Some(ticket) = ticket {
                    ticket.rejected(upstream, vault).await;
                } else {
                    let values = response.fields.all("proxy-authenticate");
                    let challenges: Vec<_> = values.flat_map(challenge::parse).collect();
                    login.challenged(&challenges).map_err(Retry::Failed)?;
                }
                match begun {
                    Begun::No => Err(Retry::Again),
                    Begun::Yes => Err(Retry::Failed(failure::body_was_sent(upstream))),
                }
            }
            (status, Some(ticket)) => {
                // What only the target can have said shows that the secret was accepted; a refusal
                // of the proxy itself may have come before it looked at the secret.
                if matches!(status, 100..=399 | 401 | 404 | 410) {
                    ticket.accepted().await;
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
    fn stale(&self, error: Error, fresh: Fresh) -> Retry {
        let from = self.target.authority.to_string();
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

    /// Returns the head for the next hop.
    fn head(&self, hop: &Hop) -> Vec<u8> {
        let mut request = self.request.clone();
        request.fields.remove_hop_by_hop();
        request.fields.remove("host");
        request.fields.0.insert(
            0,
            http1::Field { name: "Host".into(), value: self.target.host.clone().into_bytes() },
        );
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

/// Whether the upload has taken anything from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

/// Whose fault it is that there is no answer.
enum Error {
    Client(Refusal),
    Server(HeadError),
}

impl<T: Into<HeadError>> From<T> for Error {
    fn from(error: T) -> Self {
        Self::Server(error.into())
    }
}

/// When the upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// After [`CHALLENGE`], because the answer may be a 407.
    Challenge,
    /// At once.
    Open,
}

/// A request whose head is being sent, and everything that the answer needs.
struct Sent<'a> {
    exchange: &'a Exchange<'a>,
    head: secrecy::zeroize::Zeroizing<Vec<u8>>,
    client: (ReadHalf<'a>, &'a mut Vec<u8>, WriteHalf<'a>),
    server: (ReadHalf<'a>, &'a mut Vec<u8>, WriteHalf<'a>),
    gate: Gate,
    upload: Upload,
}

impl<'a> Sent<'a> {
    fn new(
        exchange: &'a Exchange<'a>,
        client: &'a mut Wire,
        link: &'a mut Link,
        ticket: Option<&Ticket>,
        gate: Gate,
    ) -> Self {
        let value = ticket.map(|ticket| &ticket.value);
        Self {
            exchange,
            head: with_authorization(&exchange.head(&link.hop), value),
            client: client.split(),
            server: link.wire.split(),
            gate,
            upload: Upload {
                rest: Body::new(exchange.framing, Coding::Chunked),
                ready: (Vec::new(), 0),
                begun: Begun::No,
                over: false,
            },
        }
    }

    /// Sends the head, then the body while it waits for the final head of the answer.
    async fn response(&mut self) -> Result<Response, Error> {
        let (server_read, server_unread, server_write) = &mut self.server;
        let (client_read, client_unread, client_write) = &mut self.client;
        server_write.write_all(&self.head).await?;
        let mut reader = HeadReader::default();
        let opens = match self.gate {
            Gate::Challenge => Instant::now() + CHALLENGE,
            Gate::Open => Instant::now(),
        };
        let mut silent_at = Instant::now() + SILENCE;
        loop {
            let gated = Instant::now() < opens;
            tokio::select! {
                biased;
                lines = read_head(server_read, server_unread, &mut reader) => {
                    let response = Response::parse(&lines?).map_err(HeadError::from)?;
                    if !matches!(response.status, 100 | 102..=199) {
                        return Ok(response);
                    }
                    reader = HeadReader::default();
                    interim(self.exchange, client_write, &response).await?;
                    silent_at = Instant::now() + SILENCE;
                }
                () = sleep_until(opens), if gated && !self.upload.is_over() => {}
                step = self.upload.step(client_read, client_unread, server_write),
                    if !gated && !self.upload.is_over() =>
                {
                    step?;
                    silent_at = Instant::now() + SILENCE;
                }
                () = sleep_until(silent_at) => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
            }
        }
    }

    /// Passes the answer on, while the upload goes on.
    async fn relay(mut self, mut response: Response) -> Result<After, Refusal> {
        let from = self.exchange.target.authority.to_string();
        let request = &self.exchange.request;
        if response.status == 101 {
            return self.switch(response, &from).await;
        }
        let framing = response.framing(&request.method);
        let framing = framing.map_err(|error| failure::bad_answer(&from, &error))?;
        let server_keeps = response.keeps_open() && framing != Framing::Close;
        // An HTTP/1.0 client knows no chunks: it gets the bytes, and the end of the connection.
        let coding = match request.version {
            Version::Http10 => Coding::Plain,
            Version::Http11 => Coding::Chunked,
        };
        let delimited =
            framing != Framing::Close && !(framing == Framing::Chunked && coding == Coding::Plain);
        response.fields.remove_hop_by_hop();
        response.fields.push("Via", "1.1 gocred");
        if framing == Framing::Chunked && coding == Coding::Chunked {
            response.fields.push("Transfer-Encoding", "chunked");
        }
        let keep = request.keeps_open() && delimited && server_keeps && self.upload.is_over();
        match (keep, request.version) {
            (false, _) => response.fields.push("Connection", "close"),
            (true, Version::Http10) => response.fields.push("Connection", "keep-alive"),
            (true, Version::Http11) => {}
        }
        let mut head = Vec::new();
        response.encode(&mut head);
        head.extend_from_slice(b"\r\n");
        let complete = self.stream(head, Body::new(framing, coding)).await;
        Ok(if keep && complete { After::Next } else { After::Close })
    }

    /// Streams the body of the answer; returns whether it was complete. What is left of the upload
    /// goes on beside it, and its failure is not ours: the answer is what counts.
    async fn stream(&mut self, mut out: Vec<u8>, mut body: Body) -> bool {
        let (server_read, server_unread, server_write) = &mut self.server;
        let (client_read, client_unread, client_write) = &mut self.client;
        loop {
            let taken = body.feed(server_unread, &mut out);
            let Ok(used) = taken else { return false };
            server_unread.drain(..used);
            if !matches!(timeout(SILENCE, client_write.write_all(&out)).await, Ok(Ok(()))) {
                return false;
            }
            out = Vec::new();
            if body.is_done() {
                return true;
            }
            **server_unread = Vec::new();
            let silent_at = Instant::now() + SILENCE;
            tokio::select! {
                read = fill(server_read, server_unread) => match read {
                    Ok(0) => return body.may_end(),
                    Ok(_) => {}
                    Err(_) => return false,
                },
                step = self.upload.step(client_read, client_unread, server_write),
                    if !self.upload.is_over() =>
                {
                    self.upload.over |= step.is_err();
                }
                () = sleep_until(silent_at) => return false,
            }
        }
    }

    /// Passes a 101 on.
    async fn switch(mut self, mut response: Response, from: &str) -> Result<After, Refusal> {
        let protocol = response.fields.all("upgrade").next().map(<[u8]>::to_vec);
        let (Some(protocol), Some(_)) = (protocol, &self.exchange.upgrade) else {
            return Err(failure::bad_answer(from, &"it switches protocols and nobody asked"));
        };
        response.fields.remove_hop_by_hop();
        response.fields.push("Connection", "upgrade");
        response.fields.push("Upgrade", protocol);
        let mut head = Vec::new();
        response.encode(&mut head);
        head.extend_from_slice(b"\r\n");
        let written = self.client.2.write_all(&head).await;
        Ok(if written.is_ok() { After::Tunnel } else { After::Close })
    }
}

/// Passes an interim answer on, to clients that know them; `100` only to those that wait for it.
async fn interim(
    exchange: &Exchange<'_>,
    client: &mut WriteHalf<'_>,
    response: &Response,
) -> io::Result<()> {
    let request = &exchange.request;
    let waits = request.fields.has_word("expect", "100-continue");
    if request.version == Version::Http10 || (response.status == 100 && !waits) {
        return Ok(());
    }
    let mut response = response.clone();
    response.fields.remove_hop_by_hop();
    let mut head = Vec::new();
    response.encode(&mut head);
    head.extend_from_slice(b"\r\n");
    client.write_all(&head).await
}

/// The body of a request on its way. Every step may be cancelled; nothing is lost.
struct Upload {
    rest: Body,
    /// Bytes that are ready for the server, and how many of them were written.
    ready: (Vec<u8>, usize),
    begun: Begun,
    over: bool,
}

impl Upload {
    fn is_over(&self) -> bool {
        self.over || (self.rest.is_done() && self.ready.0.is_empty())
    }

    /// Reads from the client, or writes to the server. A server that takes no more ends the upload
    /// without an error: it may still be answering.
    async fn step(
        &mut self,
        client: &ReadHalf<'_>,
        unread: &mut Vec<u8>,
        server: &mut WriteHalf<'_>,
    ) -> Result<(), Error> {
        let (bytes, written) = &mut self.ready;
        if let Some(left) = bytes.get(*written..).filter(|left| !left.is_empty()) {
            match server.write(left).await {
                Ok(length @ 1..) => *written += length,
                Ok(0) | Err(_) => self.over = true,
            }
            return Ok(());
        }
        self.ready = (Vec::new(), 0);
        if self.rest.is_done() {
            return Ok(());
        }
        if unread.is_empty() && !matches!(fill(client, unread).await, Ok(1..)) {
            return Err(Error::Client(failure::bad_request("the body of the request breaks off")));
        }
        self.begun = Begun::Yes;
        let used = self.rest.feed(unread, &mut self.ready.0);
        unread.drain(..used.map_err(|error| Error::Client(failure::malformed(error)))?);
        Ok(())
    }
}
