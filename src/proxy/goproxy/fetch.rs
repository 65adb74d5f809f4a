//! One question to one upstream: the connection, the credential, the head of the answer, and the
//! redirects on the way to it.
//!
//! A credential is looked up for each server that is asked, and goes to no other. Of what the client
//! sent, only what it is and what it takes go on.

use std::{io, sync::Arc};

use secrecy::zeroize::Zeroizing;
use tokio::time::{Duration, Instant, timeout_at};

use super::{
    Inner, Plan,
    body::Incoming,
    credentials::{Lack, Said, Shown},
    failure,
    reach::{self, Line, Server, To},
    transfers::{Entry, Stage},
    upstream::Upstream,
};
use crate::{
    core::{
        http1::{self, Fields, HeadReader, Response},
        modproxy::{
            explain::{About, Shown as Account},
            judge::{self, Head},
            pace::Pace,
            redirect::{Place, Trail},
        },
        refusal::Refusal,
        secret::ExposeSecret,
    },
    net::{handshake, wire::HeadError},
    proxy::{Trouble, hop::Named},
    sys::clock,
};

/// More interim answers than this are an attack, not progress.
const MAX_INTERIM: u8 = 100;
/// How much of the body of a redirect is read so that its connection can be used again, and for how
/// long.
const PAGE: (usize, Duration) = (16 * 1024, Duration::from_millis(200));

/// A question.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) front: &'a Inner,
    pub(super) plan: &'a Plan,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) entry: &'a Entry,
    /// Of the client's request.
    pub(super) fields: &'a Fields,
    pub(super) is_head: bool,
    /// When there has to be an answer.
    pub(super) deadline: Instant,
}

/// An answer of which the head is there.
pub(super) struct Answered {
    pub(super) response: Response,
    pub(super) means: Head,
    pub(super) incoming: Incoming,
    /// Where it was asked at last.
    pub(super) trail: Trail,
    /// Whose credential was shown there.
    pub(super) account: Option<Account>,
    /// Why none was, where the store did not answer.
    pub(super) unread: Option<Refusal>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Failed {
    /// The connection was refused, or broke before the head was there: it may be asked again.
    Broke(Refusal),
    /// Asking again does not help, or there is no time left.
    Lasts(Refusal),
    /// The same, and it says nothing of how well the upstream is.
    Aside(Refusal),
}

/// What became of a question on one connection.
enum Lost {
    /// It ended before the first byte of an answer.
    Unanswered(io::Error),
    Failed(Failed),
}

impl Question<'_> {
    /// Asks, and follows redirects.
    pub(super) async fn ask(&self) -> Result<Answered, Failed> {
        let first = Place::first(&self.upstream.base, self.entry.what());
        let mut trail = Trail::new(first);
        let mut may_ask_again = true;
        loop {
            let place = trail.now();
            let about = self.about(place);
            let server = self
                .server(place)
                .ok_or_else(|| Failed::Aside(about.on_the_way(failure::no_host(&place.origin))))?;
            let is_own = server == self.upstream.server;
            let named = if is_own { Named::ByUser } else { Named::ByOthers };
            // A redirect to itself may be spelt in another way, and is the same server all the same.
            let origin = if is_own { &self.upstream.base.origin } else { &place.origin };
            let to = To { origin, server: &server, named };
            self.entry.stage(Stage::Waiting);
            let mut shown = self.credential(to, &about).await?;
            let head = self.head(to, place, &shown);
            let (response, line) = self.exchange(to, &about, &head).await?;
            drop(head);
            let said = shown.judged(response.status);
            if said != Said::Nothing {
                shown.is_refused(&self.plan.settings.secrets).await;
            }
            let account = shown.field.take().map(|field| field.account);
            let unread = shown.trouble.take().map(|trouble| failure::store(origin, &trouble));
            let means = judge::head(&response);
            let incoming = self.incoming((line, server), &response, &about)?;
            match &means {
                Head::Login if said == Said::RefusedFromMemory && may_ask_again => {
                    may_ask_again = false;
                    self.skip(incoming).await;
                }
                Head::Redirect(location) => {
                    let followed = trail.follow(location).map(|_| ());
                    self.skip(incoming).await;
                    followed.map_err(|error| {
                        Failed::Aside(self.about(trail.now()).redirected(&error))
                    })?;
                    if trail.has_left() {
                        self.entry.goes_elsewhere(trail.now().origin.authority());
                    }
                }
                _ => return Ok(Answered { response, means, incoming, trail, account, unread }),
            }
        }
    }

    /// Returns what a refusal is about.
    pub(super) fn about<'p>(&'p self, place: &'p Place) -> About<'p> {
        About { asked: self.entry.what(), base: &self.upstream.base, place }
    }

    fn server(&self, place: &Place) -> Option<Server> {
        if place.origin == self.upstream.base.origin {
            return Some(self.upstream.server.clone());
        }
        Server::new(&place.origin)
    }

    async fn credential(&self, to: To<'_>, about: &About<'_>) -> Result<Shown, Failed> {
        let Self { front, plan, upstream, .. } = self;
        let path = match to.named {
            Named::ByUser => upstream.base.path.as_str(),
            // Nobody stores a credential for one file of a storage host.
            Named::ByOthers => "",
        };
        let showing = front.credentials.show(&plan.settings.secrets, to.origin, path);
        let shown = timeout_at(self.deadline, showing).await;
        shown
            .map_err(|_| failure::no_turn(to.origin))
            .and_then(|shown| {
                shown.map_err(|lack| match lack {
                    Lack::Refused(account) => about.login_rejected(&account, clock::now()),
                    Lack::Locked => failure::store(to.origin, &Trouble::Locked),
                    Lack::Unfit => failure::unfit(to.origin),
                })
            })
            .map_err(Failed::Aside)
    }

    /// Returns the head of the question. Room for all of it is there from the start: what holds the
    /// secret is never moved.
    fn head(&self, to: To<'_>, place: &Place, shown: &Shown) -> Zeroizing<Vec<u8>> {
        let passed = |name| self.fields.all(name).next().unwrap_or_default();
        let (agent, accept) = (passed("user-agent"), passed("accept"));
        let via = self.fields.all("via").map(|via| via.len() + 2).sum::<usize>();
        let secret = shown.field.as_ref();
        let secret_length =
            secret.map_or(0, |field| field.name.len() + field.value.expose_secret().len() + 4);
        let authority = to.origin.authority();
        let fixed = 256 + authority.len() + place.target.len() + self.front.shared.via.len();
        let room = fixed + agent.len() + accept.len() + via + secret_length;
        let mut head = Zeroizing::new(Vec::with_capacity(room));
        let mut add = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
        let method: &[u8] = if self.is_head { b"HEAD " } else { b"GET " };
        let target = if place.target.is_empty() { "/" } else { place.target.as_str() };
        add(&[method, target.as_bytes(), b" HTTP/1.1\r\nHost: ", authority.as_bytes(), b"\r\n"]);
        for (name, value) in [("User-Agent", agent), ("Accept", accept)] {
            if !value.is_empty() {
                add(&[name.as_bytes(), b": ", value, b"\r\n"]);
            }
        }
        add(&[b"Via: "]);
        for before in self.fields.all("via") {
            add(&[before, b", "]);
        }
        add(&[self.front.shared.via.as_bytes(), b"\r\n"]);
        if let Some(field) = secret {
            let value = field.value.expose_secret().as_bytes();
            add(&[field.name.as_bytes(), b": ", value, b"\r\n"]);
        }
        add(&[b"\r\n"]);
        head
    }

    /// Sends a head, and waits for that of the answer. A kept connection that the server has closed in
    /// the meantime is replaced, once.
    async fn exchange(
        &self,
        to: To<'_>,
        about: &About<'_>,
        head: &[u8],
    ) -> Result<(Response, Line), Failed> {
        if let Some(line) = self.front.kept.take(to.server) {
            match self.on(to, about, line, head).await {
                Ok(answered) => return Ok(answered),
                Err(Lost::Failed(failed)) => return Err(failed),
                Err(Lost::Unanswered(_)) => {}
            }
        }
        self.entry.stage(Stage::Connecting);
        let connected = reach::connect(self.front, to, self.deadline).await;
        let line = connected.map_err(|refusal| failed_to_connect(refusal, about))?;
        self.on(to, about, line, head).await.map_err(|lost| match lost {
            Lost::Failed(failed) => failed,
            Lost::Unanswered(error) => broke(to, about, &HeadError::Broken(error)),
        })
    }

    async fn on(
        &self,
        to: To<'_>,
        about: &About<'_>,
        mut line: Line,
        head: &[u8],
    ) -> Result<(Response, Line), Lost> {
        self.entry.stage(Stage::Asking);
        let begun = Instant::now();
        let limit = self.deadline.min(begun + self.plan.settings.limits.headers);
        let answered = timeout_at(limit, async {
            let (_, _, mut write) = line.wire.split();
            write.write_all(head).await.map_err(Lost::Unanswered)?;
            for _ in 0..MAX_INTERIM {
                let mut reader = HeadReader::default();
                let lines = line.wire.head(&mut reader).await;
                let lines = lines.map_err(|error| match error {
                    HeadError::Closed => Lost::Unanswered(io::ErrorKind::UnexpectedEof.into()),
                    HeadError::Broken(error) if reader.is_empty() => Lost::Unanswered(error),
                    error => Lost::Failed(broke(to, about, &error)),
                })?;
                let response = Response::parse(&lines)
                    .map_err(|error| Lost::Failed(broke(to, about, &error.into())))?;
                if response.status >= 200 {
                    return Ok(response);
                }
            }
            let endless = http1::Error::TooLarge("there are more than 100 interim answers");
            Err(Lost::Failed(broke(to, about, &endless.into())))
        });
        match answered.await {
            Ok(Ok(response)) => Ok((response, line)),
            Ok(Err(lost)) => Err(lost),
            Err(_) => Err(Lost::Failed(Failed::Lasts(about.silent(begun.elapsed())))),
        }
    }

    fn incoming(
        &self,
        (line, server): (Line, Server),
        response: &Response,
        about: &About<'_>,
    ) -> Result<Incoming, Failed> {
        let method = if self.is_head { "HEAD" } else { "GET" };
        let framing = response.framing(method);
        let framing = framing.map_err(|error| Failed::Lasts(about.not_http(&error)))?;
        let limits = &self.plan.settings.limits;
        let pace = Pace::new(limits.idle, (limits.rate, limits.window), std::time::Instant::now());
        Ok(Incoming::new((line, server), response, framing, pace))
    }

    /// Reads a body that nobody wants, where that is soon done.
    async fn skip(&self, mut incoming: Incoming) {
        let mut page = Vec::new();
        let deadline = std::time::Instant::now() + PAGE.1;
        if incoming.collect(&mut page, PAGE.0, deadline).await.is_ok() {
            incoming.finish(&self.front.kept);
        }
    }
}

/// There is no connection. What passes by itself is worth another attempt.
fn failed_to_connect(refusal: Refusal, about: &About<'_>) -> Failed {
    let passes = match refusal.error {
        "connection_refused" | "connection_terminated" => true,
        // The corporate proxy says that it did not get through.
        "http_request_denied" => matches!(refusal.status, 429 | 502..=504),
        _ => false,
    };
    let refusal = about.on_the_way(refusal);
    if passes { Failed::Broke(refusal) } else { Failed::Lasts(refusal) }
}

/// The connection ended within the head, or before it; or what came is no head.
fn broke(to: To<'_>, about: &About<'_>, error: &HeadError) -> Failed {
    match error {
        HeadError::Http(http1::Error::TooLarge(_)) => Failed::Lasts(about.head_too_large()),
        HeadError::Http(error) => Failed::Lasts(about.not_http(error)),
        HeadError::Broken(error) => {
            // In TLS 1.3 the verdict on our side of the handshake comes with the first read.
            match error.get_ref().and_then(|inner| inner.downcast_ref::<handshake::Error>()) {
                Some(error) => Failed::Lasts(about.on_the_way(failure::tls(to.origin, error))),
                None => Failed::Broke(about.closed()),
            }
        }
        HeadError::Closed => Failed::Broke(about.closed()),
        HeadError::Truncated => Failed::Broke(about.truncated(0)),
    }
}
