//! One client connection: its requests one after the other, until it becomes a tunnel or ends.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::{Duration, sleep, timeout};

use crate::{
    core::{
        http1::{Framing, HeadReader, Request, Version},
        refusal::{Refusal, With},
        secret::same,
        target::Authority,
    },
    net::wire::{HeadError, Wire, fill},
    proxy::{
        Shared,
        accept::Caller,
        crowd::Seat,
        door, failure,
        forward::{self, After, Link},
        holder::Holder,
        hop::{self, Wish},
        metrics::Stage,
        pump::{self, Ended},
        record::{Facts, Record},
        stall::{Freight, Stalled},
    },
    sys::stderr::Stderr,
};

/// How long a head may take from its first byte, or from the connection.
pub(crate) const HEAD: Duration = Duration::from_secs(10);
/// How long the rest of a head may take once a stop was asked for.
const LAST_HEAD: Duration = Duration::from_secs(1);
/// How long a client may stay without a further request.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a refused client may take to read why, and how much it may still send, in bytes.
const FAREWELL: (Duration, usize) = (Duration::from_secs(1), 1024 * 1024);

/// Serves a client.
pub(crate) async fn run(shared: Arc<Shared>, mut client: Wire, seat: Seat, caller: Caller) {
    let mut link = None;
    let mut patience = HEAD;
    loop {
        let lines = match head(&shared, &mut client, &seat, patience).await {
            Ok(lines) => lines,
            Err(None) => return,
            Err(Some(refusal)) => {
                let record = Record::nothing(caller);
                return refuse(&shared, &mut client, record, &refusal, With::Body).await;
            }
        };
        let accepted = match accept(&shared, &lines, caller) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let record = Record::nothing(caller);
                return refuse(&shared, &mut client, record, &refusal, With::Body).await;
            }
        };
        if accepted.request.method == "CONNECT" {
            return Box::pin(connect(shared, client, accepted, seat, caller)).await;
        }
        let request = accepted.request;
        let with = if request.method == "HEAD" { With::HeadOnly } else { With::Body };
        if let Some(answer) = door::answer(&shared, &request) {
            return match answer {
                Ok(page) => say(&mut client, &page).await,
                Err(refusal) => {
                    let record = Record::request(caller, &request.method);
                    refuse(&shared, &mut client, record, &refusal, with).await;
                }
            };
        }
        shared.tell.meter.requests.fetch_add(1, Ordering::Relaxed);
        let mut record = Record::request(caller, &request.method);
        let facts = Facts::default();
        let after = Box::pin(forward::run(&shared, &mut client, &mut link, request, &facts)).await;
        record.takes(&facts);
        match after {
            Ok(After::Next) => answered(&shared, record),
            Ok(After::Close) => {
                answered(&shared, record);
                return farewell(&mut client).await;
            }
            Ok(After::Break) => {
                record.broke_off();
                shared.log.write(record);
                return client.reset();
            }
            Ok(After::Tunnel) => {
                if let Some(Link { wire, .. }) = link.take() {
                    tunnel(shared, client, wire, seat, record);
                }
                return;
            }
            Err(refusal) => return refuse(&shared, &mut client, record, &refusal, with).await,
        }
        patience = KEEP_ALIVE;
    }
}

/// Waits for a head. `Err(None)`: the connection just ends.
pub(crate) async fn head(
    shared: &Shared,
    client: &mut Wire,
    seat: &Seat,
    patience: Duration,
) -> Result<Vec<u8>, Option<Refusal>> {
    let mut reader = HeadReader::default();
    let mut waiting = seat.wait();
    let first_byte = async {
        let (read, unread, _) = client.split();
        if unread.is_empty() {
            let _ = fill(&read, unread).await;
        }
    };
    // In this order: a timer that nobody has to wait for is not even set.
    tokio::select! {
        biased;
        result = timeout(patience, first_byte) => result.map_err(|_| None)?,
        _ = &mut waiting.asked_to_leave => return Err(None),
        () = shared.stop_asked() => return Err(None),
    }
    tokio::select! {
        biased;
        lines = client.head(&mut reader) => lines.map_err(|error| match error {
            HeadError::Http(error) => Some(failure::malformed(error)),
            HeadError::Broken(_) | HeadError::Closed | HeadError::Truncated => None,
        }),
        () = sleep(HEAD) => Err(Some(failure::slow_head())),
        () = async { shared.stop_asked().await; sleep(LAST_HEAD).await } => Err(None),
        _ = &mut waiting.asked_to_leave => Err(None),
    }
}

/// A request that was let in.
struct Accepted {
    request: Request,
    /// Whether it shows a login for a proxy, of whatever kind.
    shows_login: bool,
}

/// Judges a head before anything is done for it.
fn accept(shared: &Shared, lines: &[u8], caller: Caller) -> Result<Accepted, Refusal> {
    let mut request = Request::parse(lines).map_err(failure::malformed)?;
    let framing = request.framing().map_err(failure::malformed)?;
    match caller {
        // Our own pages have a token of their own.
        Caller::Unknown if door::is_ours(shared, &request) => {}
        Caller::Known => {}
        Caller::Unknown => {
            let mut shown = request.fields.all("proxy-authorization");
            let token = shown.next().and_then(|value| std::str::from_utf8(value).ok());
            if !token.is_some_and(|token| same(&token.into(), &shared.token)) {
                return Err(failure::token_needed());
            }
        }
    }
    let shows_login = request.fields.all("proxy-authorization").next().is_some();
    // The client's own credentials for a proxy end here, whatever happens next.
    request.fields.remove("proxy-authorization");
    let own = shared.via.as_bytes();
    if request.fields.all("via").any(|via| via.windows(own.len()).any(|window| window == own)) {
        return Err(failure::looped());
    }
    let hosts = request.fields.all("host").count();
    // Old clients send CONNECT without Host; nobody sends two.
    let too_few = hosts == 0 && request.version == Version::Http11 && request.method != "CONNECT";
    if hosts > 1 || too_few {
        return Err(failure::bad_request("there is not exactly one Host field"));
    }
    if request.method == "CONNECT" && framing != Framing::Empty {
        return Err(failure::bad_request("a CONNECT has no body"));
    }
    Ok(Accepted { request, shows_login })
}

async fn connect(
    shared: Arc<Shared>,
    mut client: Wire,
    accepted: Accepted,
    seat: Seat,
    caller: Caller,
) {
    let mut record = Record::tunnel(caller);
    let Accepted { request, shows_login } = accepted;
    let target = match Authority::parse(&request.target) {
        Ok(target) => target,
        Err(error) => {
            let refusal = failure::connect_target(error);
            return refuse(&shared, &mut client, record, &refusal, With::Body).await;
        }
    };
    if shows_login && let Some(refusal) = shared.ear.again(&target) {
        return say(&mut client, &refusal.encode(With::Body)).await;
    }
    let wish = Wish::new(&shared, target.clone(), &request.fields);
    let opened = hop::tunnel(&shared, &wish).await;
    record.leads_to(wish.target);
    let (server, way) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            tell(&shared, record, &refusal);
            let shown = shared.ear.shown(&target, &request.fields, refusal);
            shared.watch.holders.refused(&client, &request.fields, &shown).await;
            return say(&mut client, &shown.encode(With::Body)).await;
        }
    };
    shared.metrics.took(Stage::Open, record.opened(way));
    let (_, _, mut write) = client.split();
    // Go prints nothing of this line; curl shows it with -v.
    if write.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
        tunnel(shared, client, server, seat, record);
    } else {
        record.unheard();
        shared.log.write(record);
    }
}

/// Goes on as a tunnel, in a task of its own: that of a session is ten times as large.
fn tunnel(shared: Arc<Shared>, client: Wire, server: Wire, seat: Seat, record: Record) {
    // The record is used in the end only, and waits outside of the task.
    let freight = Freight::new(&shared.watch);
    let mut open = Open { shared, record: Some(Box::new(record)), freight };
    tokio::spawn(async move {
        let ended = pump::run(client, server, &open.shared.tell.meter, &open.freight).await;
        drop(seat);
        open.end(ended);
    });
}

/// An open tunnel. It leaves its record also when the proxy is stopped before it ends.
struct Open {
    shared: Arc<Shared>,
    record: Option<Box<Record>>,
    freight: Arc<Freight>,
}

impl Open {
    fn end(&mut self, ended: Ended) {
        let Some(mut record) = self.record.take() else { return };
        let (up, down) = self.freight.sums();
        record.ended(&ended, up, down);
        match ended {
            Ended::CutOff(client) => suspect(&self.shared, &record, client, down),
            Ended::Stalled(stalled) => tell_of(&self.shared, &record, *stalled),
            Ended::ByClient | Ended::ByServer | Ended::Closed | Ended::Silent | Ended::Stopped => {}
        }
        self.shared.log.write_boxed(record);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.end(Ended::Stopped);
    }
}

/// Tells of a tunnel that was reset within its handshake, after the client had begun it (P24); the program itself if
/// it ends over that: a server that closes a connection that is kept may look the same.
fn suspect(shared: &Arc<Shared>, record: &Record, client: Option<(Holder, Stderr)>, down: u64) {
    let Some((way, target)) = record.tunnelled() else { return };
    let finding = failure::cut_off(way.upstream(), target, down);
    shared.tell.tell(&finding);
    let (Some((client, stderr)), shared) = (client, Arc::clone(shared)) else { return };
    tokio::spawn(async move {
        if client.ends().await {
            shared.watch.holders.say(client, stderr, &finding).await;
        }
    });
}

/// Tells of a tunnel that has stalled, once it is known to matter (H01 to H03, N10).
fn tell_of(shared: &Arc<Shared>, record: &Record, stalled: Stalled) {
    let Some((way, target)) = record.tunnelled() else { return };
    let finding = failure::stalled(way.upstream(), target, stalled.how);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if stalled.end(&shared.watch.holders, &finding).await {
            shared.tell.tell(&finding);
        }
    });
}

fn answered(shared: &Shared, mut record: Record) {
    record.answered();
    shared.log.write(record);
}

/// Counts a refusal, and tells it to the client and to the terminal.
async fn refuse(shared: &Shared, client: &mut Wire, record: Record, refusal: &Refusal, with: With) {
    tell(shared, record, refusal);
    say(client, &refusal.encode(with)).await;
}

/// Counts a refusal, and tells it to the terminal and the log.
fn tell(shared: &Shared, mut record: Record, refusal: &Refusal) {
    shared.tell.refused(refusal);
    record.refused(refusal);
    shared.log.write(record);
}

/// Says the last words of a connection.
pub(crate) async fn say(client: &mut Wire, words: &[u8]) {
    let (_, _, mut write) = client.split();
    if let Ok(Ok(())) = timeout(FAREWELL.0, write.write_all(words)).await {
        farewell(client).await;
    }
}

/// Closes our side first and lets the client finish: closing with unread bytes would reset the
/// connection, and the client might never see what was written (RFC 9112 §9.6).
pub(crate) async fn farewell(client: &mut Wire) {
    let (read, unread, mut write) = client.split();
    let _ = write.shutdown().await;
    let drain = async {
        let mut drained = 0;
        loop {
            unread.clear();
            match fill(&read, unread).await {
                Ok(length @ 1..) if drained < FAREWELL.1 => drained += length,
                Ok(0) | Err(_) => return,
                Ok(_) => pending().await,
            }
        }
    };
    let _ = timeout(FAREWELL.0, drain).await;
}
