//! One client connection: its requests one after the other.
//!
//! Nobody asks upstreams for a client that has gone.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::{Duration, timeout};

use super::{
    Inner,
    ask::{self, Answer, Asked, Streamed},
    body::{self, Bound, Ended},
    count,
    guard::Guard,
    reply::Reply,
    served::Served,
};
use crate::{
    core::{
        http1::{self, Version},
        modproxy::{
            explain::{self, About, text},
            request::Request,
        },
        refusal::{Refusal, With},
    },
    net::wire::{Wire, fill},
    proxy::{
        accept::Caller,
        crowd::Seat,
        holder::ends,
        session::{HEAD, KEEP_ALIVE, farewell, head, say},
    },
};

/// How long a client may take nothing.
pub(super) const DEAF: Duration = Duration::from_secs(120);

/// What a session does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Next,
    Close,
}

/// Serves a client.
pub(super) async fn run(
    front: Arc<Inner>,
    mut client: Wire,
    seat: Seat,
    (own, caller): (SocketAddr, Caller),
) {
    let mut patience = HEAD;
    let mut who = Who::default();
    loop {
        let lines = match head(&front.shared, &mut client, &seat, patience).await {
            Ok(lines) => lines,
            Err(None) => return,
            Err(Some(refusal)) => {
                let served = Served::begin(&front, caller, "");
                return refuse(&front, &mut client, served, &refusal, With::Body).await;
            }
        };
        let request = match http1::Request::parse(&lines) {
            Ok(request) => request,
            Err(error) => {
                let refusal = crate::proxy::failure::malformed(error);
                let served = Served::begin(&front, caller, "");
                return refuse(&front, &mut client, served, &refusal, With::Body).await;
            }
        };
        let with = if request.method == "HEAD" { With::HeadOnly } else { With::Body };
        let mut served = Served::begin(&front, caller, &request.method);
        let guard = Guard { own, caller, secret: &front.secret, via: front.shared.via.as_str() };
        let path = match guard.admit(&request) {
            Ok(path) => path,
            Err(refusal) => return refuse(&front, &mut client, served, &refusal, with).await,
        };
        count(&front.totals.requests);
        served.asks(own, path);
        let who = who.is(&request, &client);
        match serve(&front, &mut client, (&request, path), who, served).await {
            Some(After::Next) => {}
            Some(After::Close) => return farewell(&mut client).await,
            None => return client.reset(),
        }
        patience = KEEP_ALIVE;
    }
}

/// Who asks, for people; the same for all requests of a connection.
#[derive(Default)]
struct Who(Option<Arc<str>>);

impl Who {
    fn is(&mut self, request: &http1::Request, client: &Wire) -> Arc<str> {
        let make = || {
            let agent = request.fields.all("user-agent").next().unwrap_or_default();
            let agent = String::from_utf8_lossy(agent.get(..80).unwrap_or(agent));
            let port = client.tcp().and_then(|tcp| tcp.peer_addr().ok()).map(|peer| peer.port());
            let port = port.map(|port| format!(" :{port}")).unwrap_or_default();
            Arc::from(crate::core::text::printable(format!("{agent}{port}").trim_start()))
        };
        Arc::clone(self.0.get_or_insert_with(make))
    }
}

/// Answers one request. `None`: the connection is broken off.
async fn serve(
    front: &Arc<Inner>,
    client: &mut Wire,
    (request, path): (&http1::Request, &str),
    who: Arc<str>,
    mut served: Served<'_>,
) -> Option<After> {
    let keeps = request.keeps_open() && !front.is_stopping();
    let after = if keeps { After::Next } else { After::Close };
    let manner = Manner { is_head: request.method == "HEAD", version: request.version, keeps };
    let what = match Request::parse(path) {
        Ok(what) => what,
        Err(error) => {
            count(&front.totals.answered);
            let reply = Reply::missing(&explain::no_request(error));
            return whole(front, client, &reply, manner, served).await.then_some(after);
        }
    };
    let open = front.transfers.begin(who, what);
    let asked = Asked { front, entry: &open.entry, fields: &request.fields, manner };
    let answer = tokio::select! {
        biased;
        answer = Box::pin(ask::run(&asked)) => answer,
        () = gone(client) => {
            served.asked(&open.entry);
            served.unheard(0, 0);
            return None;
        }
    };
    served.asked(&open.entry);
    match answer {
        Ok(Answer::Whole(reply)) => {
            count(&front.totals.answered);
            whole(front, client, &reply, manner, served).await.then_some(after)
        }
        Ok(Answer::Stream(streamed)) => {
            count(&front.totals.answered);
            let Streamed { reply, incoming, upstream, place } = *streamed;
            let status = reply.status;
            match body::relay(front, client, (reply, incoming), &open.entry, manner).await {
                Ended::Complete(bound) => {
                    served.answered(status, open.entry.sent());
                    Some(if bound == Bound::Seen { after } else { After::Close })
                }
                Ended::Deaf => {
                    served.unheard(status, open.entry.sent());
                    None
                }
                Ended::Broken(broken) => {
                    let (asked, base) = (open.entry.what(), &upstream.base);
                    let refusal = broken.explain(&About { asked, base, place: &place });
                    upstream.fails(&refusal);
                    broke_off(front, client, &refusal).await;
                    served.broke_off(status, open.entry.sent(), &refusal);
                    None
                }
            }
        }
        Err(refusal) => {
            let with = if manner.is_head { With::HeadOnly } else { With::Body };
            refuse(front, client, served, &refusal, with).await;
            Some(After::Close)
        }
    }
}

/// Tells of an answer that broke off: what has reached go cannot be taken back, nor explained in the answer.
async fn broke_off(front: &Inner, client: &Wire, refusal: &Refusal) {
    front.shared.watch.holders.tell(client.tcp().and_then(ends), refusal).await;
    count(&front.totals.broken);
    front.tell.tell(refusal);
}

/// Writes a whole answer; returns whether the client took it.
async fn whole(
    front: &Inner,
    client: &mut Wire,
    reply: &Reply,
    manner: Manner,
    served: Served<'_>,
) -> bool {
    let bytes = reply.encode(manner);
    let length = bytes.len() as u64;
    front.totals.bytes.fetch_add(length, Ordering::Relaxed);
    let is_taken = write(client, &bytes).await;
    if is_taken {
        served.answered(reply.status, length);
    } else {
        served.unheard(reply.status, 0);
    }
    is_taken
}

/// How an answer is written to a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) is_head: bool,
    pub(super) version: Version,
    pub(super) keeps: bool,
}

/// Returns whether the client took it.
pub(super) async fn write(client: &mut Wire, bytes: &[u8]) -> bool {
    let (_, _, mut writer) = client.split();
    matches!(timeout(DEAF, writer.write_all(bytes)).await, Ok(Ok(())))
}

/// Waits until the client has closed. One that has sent more is waiting for its answer.
pub(super) async fn gone(client: &mut Wire) {
    let (read, unread, _) = client.split();
    if !unread.is_empty() || matches!(fill(&read, unread).await, Ok(1..)) {
        pending::<()>().await;
    }
}

/// Counts a refusal, and tells it to the client, to the terminal and to the log.
async fn refuse(
    front: &Inner,
    client: &mut Wire,
    served: Served<'_>,
    refusal: &Refusal,
    with: With,
) {
    count(&front.totals.refused);
    front.tell.refused(refusal);
    served.refused(refusal);
    say(client, &refusal.encode_text(&text(refusal), with)).await;
}
