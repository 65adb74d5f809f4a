//! One request and its answer: the head whole, of the body what came in time.

use std::{fmt::Write, io, time::Duration};

use secrecy::zeroize::Zeroizing;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};

use crate::{
    core::{
        challenge,
        doctor::{
            answer::{self, Head, Read},
            probe::{Http, ReadFlaw, TlsFlaw},
        },
        http1::{Body, Coding},
    },
    net::doctor::{
        since,
        stream::{Stream, fill, read_flaw},
        tls, until,
    },
};

/// How long the head may take.
const HEAD: Duration = Duration::from_secs(7);
/// How long nothing may come of a body, and after how long its speed is judged.
const IDLE: Duration = Duration::from_secs(4);
/// The slowest speed that is none, in bytes a second.
const MIN_SPEED: usize = 1024;
/// How much of a module's zip is read: its sum is that of all of it.
pub(super) const MAX_ZIP: usize = 4 * 1024 * 1024;
/// More interim answers than this are no progress.
const MAX_INTERIM: usize = 16;

/// What came instead of a head, or before it.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// Interim statuses.
    pub(super) interim: Vec<u16>,
    /// The alert of TLS that the other end sent in its place.
    pub(super) alert: Option<TlsFlaw>,
}

/// Sends a request and reads the answer. The second is what TLS said in its place.
pub(super) async fn ask(
    stream: &mut Stream,
    request: &[u8],
    limit: usize,
    deadline: Instant,
) -> (Http, Option<TlsFlaw>) {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut begun = Begun::default();
    let head = exchange(stream, request, &mut bytes, &mut begun, until(deadline, HEAD)).await;
    let mut http = Http { took: since(start), ..Http::default() };
    match head {
        Ok(head) => {
            http.length = head.field("content-length").and_then(|length| length.parse().ok());
            let Came { text, flaw, is_unclosed } =
                body(stream, &head, bytes, limit, deadline).await;
            (http.body, http.flaw, http.is_unclosed) = (text, flaw, is_unclosed);
            http.challenges = head
                .fields
                .iter()
                .filter(|(name, _)| name == "www-authenticate" || name == "proxy-authenticate")
                .flat_map(|(_, value)| challenge::parse(value.as_bytes()))
                .collect();
            http.status = Some(head.status);
            http.reason = head.reason;
            http.fields = head.fields;
        }
        Err(flaw) => http.flaw = Some(flaw),
    }
    (http, begun.alert)
}

/// Sends a request and reads the head of the last answer. `bytes` then holds what follows it.
pub(super) async fn exchange(
    stream: &mut Stream,
    request: &[u8],
    bytes: &mut Vec<u8>,
    begun: &mut Begun,
    until: Instant,
) -> Result<Head, ReadFlaw> {
    let sent = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    // Who takes nothing may have said why.
    let unsent = match timeout_at(until, sent).await {
        Ok(sent) => sent.err(),
        Err(_) => return Err(ReadFlaw::Silent(0)),
    };
    loop {
        match answer::read(bytes) {
            Read::Whole(head) if (100..200).contains(&head.status) && head.status != 101 => {
                begun.interim.push(head.status);
                bytes.drain(..head.used.min(bytes.len()));
                if begun.interim.len() > MAX_INTERIM {
                    return Err(ReadFlaw::TooLarge);
                }
                continue;
            }
            Read::Whole(head) => {
                bytes.drain(..head.used.min(bytes.len()));
                return Ok(head);
            }
            Read::NotHttp => {
                return Err(ReadFlaw::NotHttp(bytes.iter().take(256).copied().collect()));
            }
            Read::TooLarge => return Err(ReadFlaw::TooLarge),
            Read::More => {}
        }
        let error = match timeout_at(until, fill(stream, bytes)).await {
            Err(_) => return Err(ReadFlaw::Silent(bytes.len())),
            Ok(Ok(0)) => unsent,
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => Some(error),
        };
        begun.alert = error.as_ref().and_then(tls::late_alert);
        return Err(error.map_or(ReadFlaw::Closed(bytes.len()), |it| read_flaw(&it, bytes.len())));
    }
}

/// What came of a body.
#[derive(Default)]
pub(super) struct Came {
    /// Its beginning, up to the size that was asked for.
    pub(super) text: Vec<u8>,
    /// See [`Http::flaw`].
    pub(super) flaw: Option<ReadFlaw>,
    /// See [`Http::is_unclosed`].
    pub(super) is_unclosed: bool,
}

/// Reads a body up to a size. `bytes` are its beginning, as they came.
pub(super) async fn body(
    stream: &mut Stream,
    head: &Head,
    mut bytes: Vec<u8>,
    limit: usize,
    deadline: Instant,
) -> Came {
    let start = Instant::now();
    let mut is_unclosed = false;
    let mut framing = Body::new(head.framing(), Coding::Plain);
    let mut text = Vec::new();
    let flaw = loop {
        if framing.feed(&bytes, &mut text).is_err() {
            break Some(ReadFlaw::NotHttp(bytes.iter().take(256).copied().collect()));
        }
        if framing.is_done() || text.len() >= limit {
            break None;
        }
        if start.elapsed() >= IDLE && is_slow(text.len(), start) {
            break Some(ReadFlaw::Slow(text.len()));
        }
        bytes.clear();
        match timeout_at(until(deadline, IDLE), fill(stream, &mut bytes)).await {
            // In the middle of a body that comes well, the end of our patience is no flaw of it.
            Err(_) if Instant::now() >= deadline && !is_slow(text.len(), start) => break None,
            Err(_) => break Some(ReadFlaw::Silent(text.len())),
            Ok(Ok(0)) if framing.may_end() => break None,
            Ok(Ok(0)) => break Some(ReadFlaw::Closed(text.len())),
            // Many servers end TLS without a word. go takes it for the end, libcurl does not.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof && framing.may_end() => {
                is_unclosed = true;
                break None;
            }
            Ok(Err(error)) => break Some(read_flaw(&error, text.len())),
            Ok(Ok(_)) => {}
        }
    };
    text.truncate(limit);
    Came { text, flaw, is_unclosed }
}

fn is_slow(bytes: usize, start: Instant) -> bool {
    let millis = usize::try_from(start.elapsed().as_millis()).unwrap_or(usize::MAX);
    bytes.saturating_mul(1000) < MIN_SPEED.saturating_mul(millis)
}

/// Writes the head of a request. Fields that would break out of their line are left out.
#[derive(Debug)]
pub(super) struct Request(Zeroizing<Vec<u8>>);

impl Request {
    /// Begins one.
    pub(super) fn new(method: &str, target: &str, host: &str) -> Self {
        // Secrets follow: the buffer must not grow.
        let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024 + target.len()));
        for part in [method, " ", &visible(target), " HTTP/1.1\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes).field("Host", host).field("User-Agent", super::AGENT)
    }

    /// Adds a field.
    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        let is_line = |text: &str| !text.contains(['\r', '\n', '\0']);
        if is_line(name) && is_line(value) {
            for part in [name, ": ", value, "\r\n"] {
                self.0.extend_from_slice(part.as_bytes());
            }
        }
        self
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Zeroizing<Vec<u8>> {
        self.0.extend_from_slice(b"\r\n");
        self.0
    }
}

/// Escapes what no request line may hold.
fn visible(target: &str) -> String {
    let mut text = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_graphic() {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
