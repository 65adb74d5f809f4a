//! One request sent on one connection, and its answer streamed back while the upload goes on.

use std::{future::pending, io, sync::atomic::Ordering};

use secrecy::zeroize::Zeroizing;
use tokio::{
    net::TcpStream,
    time::{Duration, Instant, sleep_until, timeout},
};

use crate::{
    core::{
        connect::with_authorization,
        http1::{self, Body, Coding, Framing, HeadReader, Response, Version},
        page,
        refusal::Refusal,
        secret::SecretString,
        stall::{self, Stall},
    },
    net::wire::{HeadError, Reader, Wire, Writer, fill, read_head},
    proxy::{
        failure,
        forward::{After, Exchange, Link, To},
        holder::ends,
        retry::broken,
        stall::{LOOK, Watch},
        upload::{Error, Upload},
    },
};

/// How long nothing may move before an exchange is given up. Programs that would wait for ever are not
/// kept waiting for so long (`core::stall`).
const SILENCE: Duration = Duration::from_secs(120);
/// How long an upload waits for a 407 where one may come. A proxy that wants a login says so on
/// seeing the head; one that does not would wait for the body for ever.
const CHALLENGE: Duration = Duration::from_secs(1);

/// How long the page of a 407 may take, which only says why.
const PAGE: Duration = Duration::from_secs(1);

/// More interim answers than this are an attack, not progress.
const MAX_INTERIM: u8 = 100;
const ENDLESS: &str = "there are more than 100 interim answers";

/// When the upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// After [`CHALLENGE`], because the answer may be a 407.
    Challenge,
    /// At once.
    Open,
}

/// A request whose head is being sent, and everything that the answer needs.
pub(crate) struct Sent<'a> {
    exchange: &'a Exchange<'a>,
    head: Zeroizing<Vec<u8>>,
    client: (Reader<'a>, &'a mut Vec<u8>, Writer<'a>),
    server: (Reader<'a>, &'a mut Vec<u8>, Writer<'a>),
    gate: Gate,
    to: To,
    /// Who answers, for people.
    from: String,
    pub(crate) upload: Upload,
}

impl<'a> Sent<'a> {
    pub(crate) fn new(
        exchange: &'a Exchange<'a>,
        client: &'a mut Wire,
        link: &'a mut Link,
        value: Option<&SecretString>,
        gate: Gate,
    ) -> Self {
        Self {
            exchange,
            head: with_authorization(&exchange.head(&link.to), value),
            client: client.split(),
            server: link.wire.split(),
            gate,
            to: link.to.clone(),
            from: exchange.answerer(&link.to),
            upload: Upload::new(exchange.framing),
        }
    }

    /// Sends the head, then the body while it waits for the final head of the answer.
    pub(crate) async fn response(&mut self) -> Result<Response, Error> {
        let (server_read, server_unread, server_write) = &mut self.server;
        let (client_read, client_unread, client_write) = &mut self.client;
        let (client_tcp, watch) = (client_read.tcp(), self.exchange.watch());
        in_time(server_write.write_all(&self.head)).await?;
        let mut reader = HeadReader::default();
        let opens = match self.gate {
            Gate::Challenge => Instant::now() + CHALLENGE,
            Gate::Open => Instant::now(),
        };
        let mut silence = Silence::new();
        let mut interims = 0;
        loop {
            let gated = Instant::now() < opens;
            tokio::select! {
                biased;
                lines = read_head(server_read, server_unread, &mut reader) => {
                    let response = Response::parse(&lines?).map_err(HeadError::from)?;
                    if !matches!(response.status, 100 | 102..=199) {
                        return Ok(response);
                    }
                    interims += 1;
                    if interims > MAX_INTERIM {
                        return Err(HeadError::from(http1::Error::TooLarge(ENDLESS)).into());
                    }
                    reader = HeadReader::default();
                    interim(self.exchange, client_write, &response).await?;
                    silence = Silence::new();
                }
                () = sleep_until(opens), if gated && !self.upload.is_over() => {}
                step = self.upload.step(client_read, client_unread, server_write),
                    if !gated && !self.upload.is_over() =>
                {
                    step?;
                    silence = Silence::new();
                }
                () = silence.over(client_tcp, watch) => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
            }
        }
    }

    /// Reads the beginning of the page of an answer that is not passed on.
    pub(crate) async fn page(&mut self, response: &Response) -> Vec<u8> {
        let (server_read, server_unread, _) = &mut self.server;
        let mut text = Vec::new();
        let Ok(framing) = response.framing(&self.exchange.request.method) else { return text };
        let mut body = Body::new(framing, Coding::Plain);
        let reading = async {
            while let Ok(used) = body.feed(server_unread, &mut text) {
                server_unread.drain(..used);
                let is_enough = body.is_done() || text.len() >= page::MAX;
                if is_enough || !matches!(fill(server_read, server_unread).await, Ok(1..)) {
                    return;
                }
            }
        };
        let _ = timeout(PAGE, reading).await;
        text
    }

    /// Passes the answer on, while the upload goes on.
    pub(crate) async fn relay(mut self, mut response: Response) -> Result<After, Refusal> {
        let from = self.from.clone();
        let request = &self.exchange.request;
        self.exchange.facts.status.store(response.status, Ordering::Relaxed);
        if response.status == 101 {
            return self.switch(response, &from).await;
        }
        if is_page_for_git(&self.exchange.target.path, &response) {
            return Err(failure::page_for_git(&from));
        }
        let framing = response.framing(&request.method);
        let framing = framing.map_err(|error| broken(&from, &self.to, &error.into()))?;
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
        let keep = request.keeps_open() && delimited && server_keeps && self.upload.is_complete();
        match (keep, request.version) {
            (false, _) => response.fields.push("Connection", "close"),
            (true, Version::Http10) => response.fields.push("Connection", "keep-alive"),
            (true, Version::Http11) => {}
        }
        let mut head = Vec::new();
        response.encode(&mut head);
        head.extend_from_slice(b"\r\n");
        let complete = self.stream(head, Body::new(framing, coding)).await;
        // Bytes after the answer belong to no request of ours.
        let clean = self.server.1.is_empty();
        Ok(match (keep && complete && clean, complete || delimited) {
            (true, _) => After::Next,
            (false, true) => After::Close,
            // The end of the connection would be the end of the answer.
            (false, false) => After::Break,
        })
    }

    /// Streams the body of the answer; returns whether it was complete. What is left of the upload
    /// goes on beside it, and its failure is not ours: the answer is what counts.
    async fn stream(&mut self, mut out: Vec<u8>, mut body: Body) -> bool {
        let (server_read, server_unread, server_write) = &mut self.server;
        let (client_read, client_unread, client_write) = &mut self.client;
        let (client_tcp, watch) = (client_read.tcp(), self.exchange.watch());
        let mut drips = Drips::new();
        loop {
            drips.fell(server_unread.len(), Instant::now());
            let taken = body.feed(server_unread, &mut out);
            let Ok(used) = taken else { return false };
            server_unread.drain(..used);
            if in_time(client_write.write_all(&out)).await.is_err() {
                return false;
            }
            self.exchange.passed_down(out.len());
            out = Vec::new();
            if body.is_done() {
                return true;
            }
            **server_unread = Vec::new();
            let silence = Silence::new();
            tokio::select! {
                read = fill(server_read, server_unread) => match read {
                    Ok(0) => return body.may_end(),
                    Ok(_) => {}
                    Err(_) => return false,
                },
                step = self.upload.step(client_read, client_unread, server_write),
                    if !self.upload.is_over() =>
                {
                    if step.is_err() {
                        self.upload.give_up();
                    }
                }
                () = silence.over(client_tcp, watch) => {
                    let finding = failure::stopped(&self.from, Stall::Stopped);
                    watch.holders.tell(ends(client_tcp), &finding).await;
                    self.exchange.tells(&finding);
                    return false;
                }
                () = drips.over(client_tcp, watch) => {
                    let finding = failure::stopped(&self.from, Stall::Drips);
                    watch.holders.tell(ends(client_tcp), &finding).await;
                    self.exchange.tells(&finding);
                    return false;
                }
            }
        }
    }

    /// Passes a 101 on.
    async fn switch(mut self, mut response: Response, from: &str) -> Result<After, Refusal> {
        let protocol = response.fields.all("upgrade").next().map(<[u8]>::to_vec);
        let (Some(protocol), Some(_)) = (protocol, &self.exchange.upgrade) else {
            let error = http1::Error::Malformed("it switches protocols and nobody asked");
            return Err(broken(from, &self.to, &error.into()));
        };
        response.fields.remove_hop_by_hop();
        response.fields.push("Connection", "upgrade");
        response.fields.push("Upgrade", protocol);
        let mut head = Vec::new();
        response.encode(&mut head);
        head.extend_from_slice(b"\r\n");
        let written = in_time(self.client.2.write_all(&head)).await;
        Ok(if written.is_ok() { After::Tunnel } else { After::Close })
    }
}

/// Whether a web page comes in place of what git asks for: git takes it for a repository without
/// branches, and ends well (failures.md H08).
fn is_page_for_git(path: &str, response: &Response) -> bool {
    let asks = ["git-upload-pack", "git-receive-pack"]
        .iter()
        .any(|service| path.ends_with(&format!("/info/refs?service={service}")));
    let is_html =
        |kind: &[u8]| kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"));
    asks && response.status == 200 && response.fields.all("content-type").any(is_html)
}

/// A silence that has begun.
struct Silence(Instant);

impl Silence {
    fn new() -> Self {
        Self(Instant::now())
    }

    /// Waits until it has been long enough for this client.
    async fn over(&self, client: &TcpStream, watch: &Watch) {
        sleep_until(self.0 + stall::SILENCE).await;
        if watch.holders.patient(ends(client)).await.is_none() {
            sleep_until(self.0 + SILENCE).await;
        }
    }
}

/// A body of which only drops come.
struct Drips {
    /// When the first drop fell, if one has.
    since: Option<Instant>,
    last: Instant,
    /// Whether the client has been asked for, and may wait as long as it likes.
    is_fine: bool,
}

impl Drips {
    fn new() -> Self {
        Self { since: None, last: Instant::now(), is_fine: false }
    }

    /// Takes a piece of so many bytes. Now and then one, such as what keeps a connection alive, is no
    /// drip.
    fn fell(&mut self, length: usize, now: Instant) {
        if length == 0 {
            return;
        }
        if !stall::are_drops(1, length as u64) {
            self.since = None;
        } else if self.since.is_none() || now > self.last + LOOK {
            self.since = Some(now);
        }
        self.last = now;
    }

    /// Whether another drop is to be expected.
    fn is_falling(&self, now: Instant) -> bool {
        self.since.is_some() && now <= self.last + LOOK
    }

    /// Waits until it has gone on for too long, for this client. When the last drop is long ago, it has
    /// stopped, which is [`Silence`]'s to tell.
    async fn over(&mut self, client: &TcpStream, watch: &Watch) {
        let Some(since) = self.since.filter(|_| !self.is_fine) else { return pending().await };
        sleep_until(since + stall::SILENCE).await;
        if !self.is_falling(Instant::now()) {
            return pending().await;
        }
        self.is_fine = watch.holders.patient(ends(client)).await.is_none();
        if self.is_fine {
            pending::<()>().await;
        }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.exchange.passed_up(self.upload.sent);
    }
}

/// Passes an interim answer on, to clients that know them; `100` only to those that wait for it.
async fn interim(
    exchange: &Exchange<'_>,
    client: &mut Writer<'_>,
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
    in_time(client.write_all(&head)).await
}

/// Gives a peer that takes nothing as long as one that says nothing.
async fn in_time(written: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(SILENCE, written).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Drips, Instant, Response, is_page_for_git, stall};

    #[test]
    fn one_drop_and_then_nothing_is_silence() {
        let (mut drips, begin) = (Drips::new(), Instant::now());
        let second = |number| begin + Duration::from_secs(number);
        drips.fell(5, begin);
        drips.fell(1, second(1));
        assert!(!drips.is_falling(begin + stall::SILENCE));
        for number in 2..=50 {
            drips.fell(1, second(number));
        }
        assert!(drips.is_falling(begin + stall::SILENCE) && drips.since == Some(begin));
        drips.fell(1400, second(51));
        assert_eq!(drips.since, None);
    }

    #[test]
    fn a_page_is_no_repository_and_an_answer_for_git_is_no_page() {
        const REFS: &str = "/t/lib.git/info/refs?service=git-upload-pack";
        let is_page = |path: &str, head: &str| {
            is_page_for_git(path, &Response::parse(head.as_bytes()).unwrap())
        };
        let page = "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n";
        assert!(is_page(REFS, page));
        assert!(is_page("/info/refs?service=git-receive-pack", page));
        assert!(!is_page("/t/lib.git/info/refs", page) && !is_page("/index.html", page));
        assert!(!is_page(REFS, "HTTP/1.1 404 no\r\nContent-Type: text/html\r\n"));
        let refs =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n";
        assert!(!is_page(REFS, refs));
    }
}
