//! Bodies on their way: read at a pace that has limits, and passed on block by block.
//!
//! Nothing is buffered whole. What the client has not taken yet does not count against the server.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until, timeout_at};

use super::{
    Inner,
    kept::Kept,
    reach::{Line, Server},
    reply::{Reply, Rest},
    session::{self, Manner},
    transfers::Entry,
};
use crate::{
    core::{
        http1::{self, Body, Coding, Framing, Version},
        modproxy::{
            explain::About,
            pace::{Pace, Trouble},
        },
        refusal::Refusal,
    },
    net::wire::{Wire, fill},
};

/// A body still comes while no more than this is between two blocks of it.
const FLOWS: Duration = Duration::from_secs(3);

/// The body of an answer, and the connection that it comes on.
pub(super) struct Incoming {
    line: Line,
    server: Server,
    body: Body,
    framing: Framing,
    /// Whether the server leaves the connection open.
    keeps: bool,
    pace: Pace,
    /// When the last byte of it came.
    last: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a body breaks off.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nothing came for a while, or too little; and so many bytes before.
    Slow(Trouble, u64),
    /// The connection ended, or broke, after so many bytes.
    Short(u64),
    /// It is no body.
    Malformed(http1::Error),
}

impl Broken {
    /// Says it.
    pub(super) fn explain(&self, about: &About<'_>) -> Refusal {
        match self {
            Self::Slow(Trouble::Idle(waited), received) => about.stalled(*received, *waited),
            Self::Slow(Trouble::Slow(received, within), _) => about.slow(*received, *within),
            Self::Short(received) => about.truncated(*received),
            Self::Malformed(error) => about.not_http(error),
        }
    }
}

/// How a body ended that was passed on.
#[derive(Debug)]
pub(super) enum Ended {
    Complete(Bound),
    /// The client takes no more.
    Deaf,
    /// It broke off.
    Broken(Broken),
}

/// How the client knows where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// By its length, or its chunks.
    Seen,
    /// By the end of the connection.
    End,
}

impl Incoming {
    /// Begins to read the body of an answer.
    pub(super) fn new(
        (line, server): (Line, Server),
        response: &http1::Response,
        framing: Framing,
        pace: Pace,
    ) -> Self {
        let keeps = response.keeps_open() && framing != Framing::Close;
        let body = Body::new(framing, Coding::Plain);
        let last = Instant::now();
        Self { line, server, body, framing, keeps, pace, last, timer: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.body.is_done()
    }

    /// Returns how long the whole body is, where that was said.
    pub(super) fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Empty => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::Close => None,
        }
    }

    /// Appends what comes next, which may be nothing but framing.
    pub(super) async fn more(&mut self, into: &mut Vec<u8>) -> Result<(), Broken> {
        if self.line.wire.unread.is_empty() && !self.is_done() && !self.arrives().await? {
            if !self.body.may_end() {
                return Err(Broken::Short(self.pace.total()));
            }
            self.body = Body::new(Framing::Empty, Coding::Plain);
            return Ok(());
        }
        let unread = &mut self.line.wire.unread;
        let before = into.len();
        let used = self.body.feed(unread, into).map_err(Broken::Malformed)?;
        unread.drain(..used);
        self.last = Instant::now();
        self.pace.received((into.len() - before) as u64, self.last);
        Ok(())
    }

    /// Waits for bytes; `false` is the end of the connection.
    async fn arrives(&mut self) -> Result<bool, Broken> {
        let (read, unread, _) = self.line.wire.split();
        loop {
            let due = self.pace.deadline();
            // It rings late, and is set anew then: most blocks need no timer at all.
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due.into())));
            tokio::select! {
                biased;
                read = fill(&read, unread) => {
                    // Also where TLS ends without a word: anybody on the way may have cut it.
                    let read = read.map(|length| length > 0);
                    return read.map_err(|_| Broken::Short(self.pace.total()));
                }
                () = timer.as_mut() => {
                    if let Some(trouble) = self.pace.check(Instant::now()) {
                        return Err(Broken::Slow(trouble, self.pace.total()));
                    }
                    timer.as_mut().reset(self.pace.deadline().into());
                }
            }
        }
    }

    /// Reads on, until there are so many bytes or the body is complete. At the deadline it is enough
    /// where bytes still come.
    pub(super) async fn collect(
        &mut self,
        into: &mut Vec<u8>,
        limit: usize,
        deadline: Instant,
    ) -> Result<(), Broken> {
        while !self.is_done() && into.len() < limit {
            match timeout_at(deadline.into(), self.more(into)).await {
                Ok(more) => more?,
                Err(_) if self.last.elapsed() < FLOWS => return Ok(()),
                Err(_) => {
                    let trouble = Trouble::Idle(self.last.elapsed());
                    return Err(Broken::Slow(trouble, self.pace.total()));
                }
            }
        }
        Ok(())
    }

    /// Keeps the connection for the next question, where the body is complete and nothing follows it.
    pub(super) fn finish(mut self, kept: &Arc<Kept>) {
        if self.keeps && self.is_done() && self.line.wire.unread.is_empty() {
            self.line.wire.unread = Vec::new();
            kept.put(&self.server, self.line);
        }
    }
}

/// Passes an answer on whose beginning is there already.
pub(super) async fn relay(
    front: &Inner,
    client: &mut Wire,
    (reply, mut incoming): (Reply, Incoming),
    entry: &Entry,
    manner: Manner,
) -> Ended {
    let rest = incoming.length().map_or(Rest::Unknown, Rest::Length);
    let is_chunked = rest == Rest::Unknown && manner.version == Version::Http11;
    let mut out = reply.head(rest, manner);
    let mut block = reply.body;
    loop {
        if is_chunked {
            chunk(&block, &mut out);
            if incoming.is_done() {
                out.extend_from_slice(b"0\r\n\r\n");
            }
        } else if out.is_empty() {
            std::mem::swap(&mut out, &mut block);
        } else {
            out.append(&mut block);
        }
        let begun = Instant::now();
        if !out.is_empty() && !session::write(client, &out).await {
            return Ended::Deaf;
        }
        incoming.pace.held_up(begun.elapsed());
        front.totals.bytes.fetch_add(out.len() as u64, Ordering::Relaxed);
        entry.passed_on(out.len());
        if incoming.is_done() {
            incoming.finish(&front.kept);
            let is_seen = is_chunked || rest != Rest::Unknown;
            return Ended::Complete(if is_seen { Bound::Seen } else { Bound::End });
        }
        out.clear();
        block.clear();
        let more = tokio::select! {
            biased;
            more = incoming.more(&mut block) => more,
            () = session::gone(client) => return Ended::Deaf,
        };
        if let Err(broken) = more {
            return Ended::Broken(broken);
        }
        entry.received(block.len());
    }
}

fn chunk(block: &[u8], out: &mut Vec<u8>) {
    if !block.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", block.len()).as_bytes());
        out.extend_from_slice(block);
        out.extend_from_slice(b"\r\n");
    }
}
