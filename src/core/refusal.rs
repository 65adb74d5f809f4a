//! How a proxy says no: a reason phrase that go prints, `Proxy-Status`, and a few lines of text.
//!
//! Whatever an upstream sent ends here as printable text of bounded length (go.md §3.3). Never HTML.
//! `Proxy-Status` (RFC 9209) also says who refused, and with which status.

use crate::core::text::printable;

/// The longest reason phrase, in bytes.
pub const MAX_REASON: usize = 200;
/// The most lines of a body; go prints no more (go.md §6.3).
const MAX_LINES: usize = 8;
/// The longest line of a body, in bytes.
const MAX_LINE: usize = 400;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// The code of the failure catalogue, such as `P02`.
    pub code: Option<&'static str>,
    /// The error type of RFC 9209 §2.3.
    pub error: &'static str,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// What caused it, and what else helps, each a line.
    pub details: Vec<String>,
    /// The command to paste.
    pub run: Option<String>,
    /// What is known of the proxy behind us that it is about.
    behind: Option<Box<Behind>>,
}

/// What a proxy behind us has to do with a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Behind {
    /// Its URL (RFC 9209 §2.1.2).
    next_hop: Option<String>,
    /// The status that it answered (RFC 9209 §2.1.5).
    received: Option<u16>,
    /// When to try again: the value of `Retry-After`, as [`retry_after`] lets it through.
    retry_after: Option<String>,
}

/// Whether the client expects a body after the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// It does.
    Body,
    /// It asked with HEAD.
    HeadOnly,
}

impl Refusal {
    /// Starts a refusal.
    pub fn new(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, code: None, error, message, details: Vec::new(), run: None, behind: None }
    }

    /// Names the code of the failure catalogue.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds a line to the body.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Names the command that helps.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.run = Some(command.into());
        self
    }

    /// Says which status it is that a proxy behind us answered.
    #[must_use]
    pub fn received(mut self, status: u16) -> Self {
        self.known().received = Some(status);
        self
    }

    /// Says when to try again. Other statuses than these two have no use for it (RFC 9110 §10.2.3,
    /// RFC 6585 §4).
    #[must_use]
    pub fn retry_after(mut self, status: u16, value: Option<String>) -> Self {
        let (429 | 503, Some(when)) = (status, value) else { return self };
        let unit = if when.ends_with("GMT") { "at" } else { "in seconds:" };
        let said = format!("it says when to try again, {unit} {when}");
        self.known().retry_after = Some(when);
        self.detail(said)
    }

    /// Names the proxy behind us that it is about.
    pub fn is_about(&mut self, next_hop: String) {
        self.known().next_hop = Some(next_hop);
    }

    /// Returns the proxy behind us that it is about.
    pub fn next_hop(&self) -> Option<&str> {
        self.behind.as_ref()?.next_hop.as_deref()
    }

    fn known(&mut self) -> &mut Behind {
        self.behind.get_or_insert_default()
    }

    /// Returns what happened, with its code.
    pub fn headline(&self) -> String {
        let code = self.code.map(|code| format!("[{code}]")).unwrap_or_default();
        printable(&format!("gocred{code}: {}", self.message))
    }

    /// Returns the reason phrase: printable, at most [`MAX_REASON`] bytes, the command kept whole
    /// where there is room for it.
    pub fn reason(&self) -> String {
        let run = self.run.as_ref().map(|run| printable(&format!("; run: {run}")));
        let run = run.filter(|run| run.len() <= MAX_REASON / 2).unwrap_or_default();
        shorten(&self.headline(), MAX_REASON - run.len()) + &run
    }

    /// Returns the line for a program's standard error: the [`reason`](Self::reason), and where there is more.
    pub fn line(&self) -> String {
        let page = self.code.filter(|_| self.run.is_none());
        self.reason() + &page.map(|code| format!("; `gocred explain {code}`")).unwrap_or_default()
    }

    /// Returns the whole response.
    pub fn encode(&self, with: With) -> Vec<u8> {
        self.response(&self.reason(), &self.body(), with)
    }

    /// Returns the whole response with another body, for a client that shows it: its reason phrase is
    /// that of the status.
    pub fn encode_text(&self, body: &str, with: With) -> Vec<u8> {
        self.response(phrase(self.status), body, with)
    }

    fn response(&self, reason: &str, body: &str, with: With) -> Vec<u8> {
        // The one refusal that asks for credentials: those of this proxy itself.
        let ask = match self.status {
            407 => "Proxy-Authenticate: Basic realm=\"gocred\"\r\n",
            _ => "",
        };
        let later = self.behind.as_ref().and_then(|behind| behind.retry_after.as_ref());
        let later = later.map(|value| format!("Retry-After: {}\r\n", ascii(value)));
        let head = format!(
            "HTTP/1.1 {} {}\r\nProxy-Status: {}\r\n{ask}{}\
             Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            self.status,
            reason,
            self.proxy_status(),
            later.unwrap_or_default(),
            body.len()
        );
        match with {
            With::Body => head + body,
            With::HeadOnly => head,
        }
        .into_bytes()
    }

    /// Returns the value of `Proxy-Status`: its parameters are items of RFC 8941.
    fn proxy_status(&self) -> String {
        let hop = self.next_hop().map(|hop| format!("; next-hop=\"{}\"", ascii(hop)));
        let received = self.behind.as_ref().and_then(|behind| behind.received);
        let received = received.map(|status| format!("; received-status={status}"));
        format!(
            "gocred; error={}{}{}; details=\"{}\"",
            self.error,
            hop.unwrap_or_default(),
            received.unwrap_or_default(),
            ascii(&self.reason())
        )
    }

    fn body(&self) -> String {
        let details = self.details.iter().map(|detail| printable(detail));
        let run = self.run.iter().map(|run| format!("run: {}", printable(run)));
        let tail: Vec<String> = details.take(MAX_LINES - 2).chain(run).collect();
        let lines = std::iter::once(self.headline()).chain(tail);
        lines.map(|line| shorten(&line, MAX_LINE) + "\n").collect()
    }
}

/// Returns the usual reason phrase (RFC 9110 §15).
fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "Refused",
    }
}

/// Reads a `Retry-After`: seconds, or a date (RFC 9110 §10.2.3). Another value is none.
pub fn retry_after(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let is_seconds = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    // IMF-fixdate, such as "Sun, 06 Nov 1994 08:49:37 GMT", has one length.
    let is_date = text.len() == 29
        && text.ends_with(" GMT")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" ,:".contains(&b));
    (is_seconds || is_date).then(|| text.to_owned())
}

/// Cuts a text to a number of bytes, at a character, and marks the cut.
fn shorten(text: &str, limit: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.len() + c.len_utf8() + MARK.len() > limit {
            break;
        }
        short.push(c);
    }
    short + MARK
}

/// Returns the content of an RFC 8941 string: printable ASCII, escaped.
fn ascii(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => shown.extend(['\\', c]),
            ' '..='~' => shown.push(c),
            _ => shown.push('?'),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_REASON, Refusal, With, retry_after};

    fn rejected() -> Refusal {
        Refusal::new(502, "http_request_denied", "p.corp.test:3128 rejected the password of ana")
            .code("P02")
            .detail("gocred will not send this password again")
            .run("gocred login --proxy http://p.corp.test:3128")
    }

    #[test]
    fn go_prints_what_happened_and_what_to_run() {
        assert_eq!(
            rejected().reason(),
            "gocred[P02]: p.corp.test:3128 rejected the password of ana; \
             run: gocred login --proxy http://p.corp.test:3128"
        );
        let text = String::from_utf8(rejected().encode(With::Body)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(
            "\r\nProxy-Status: gocred; error=http_request_denied; details=\"gocred[P02]"
        ));
        assert_eq!(body.lines().count(), 3);
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
        assert!(
            String::from_utf8(rejected().encode(With::HeadOnly)).unwrap().ends_with("\r\n\r\n")
        );
    }

    #[test]
    fn who_shows_the_body_gets_another_one_and_a_usual_reason() {
        let text = String::from_utf8(rejected().encode_text("why\n", With::Body)).unwrap();
        assert!(text.starts_with("HTTP/1.1 502 Bad Gateway\r\nProxy-Status: gocred; error="));
        assert!(text.contains("\r\nContent-Length: 4\r\n") && text.ends_with("\r\n\r\nwhy\n"));
    }

    #[test]
    fn a_long_message_gives_way_to_the_command() {
        let mut refusal = rejected();
        refusal.message = "é".repeat(300);
        assert!(refusal.reason().len() <= MAX_REASON);
        assert!(refusal.reason().ends_with("…; run: gocred login --proxy http://p.corp.test:3128"));
    }

    #[test]
    fn the_status_says_who_refused_and_when_to_try_again() {
        let mut refusal = Refusal::new(503, "http_request_denied", "p:3128 answered 503")
            .received(503)
            .retry_after(503, retry_after(b" 120 "));
        refusal.is_about("p:3128".to_owned());
        let text = String::from_utf8(refusal.encode(With::Body)).unwrap();
        assert!(text.contains(
            "\r\nProxy-Status: gocred; error=http_request_denied; next-hop=\"p:3128\"; \
             received-status=503; details=\"gocred: p:3128 answered 503\"\r\nRetry-After: 120\r\n"
        ));
    }

    #[test]
    fn a_time_to_try_again_is_seconds_or_a_date() {
        let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
        assert!(retry_after(b"0").is_some() && retry_after(date).is_some());
        for none in [&b""[..], b"-1", b"1e3", b"soon", b"1\r\nX: y", b"9999999999", b"\xff"] {
            assert_eq!(retry_after(none), None);
        }
    }

    proptest! {
        #[test]
        fn nothing_splits_the_response(message in any::<String>(), detail in any::<String>(), run in any::<String>()) {
            let refusal = Refusal::new(502, "proxy_internal_response", message)
                .code("P13")
                .detail(detail.clone())
                .detail(detail)
                .run(run);
            let reason = refusal.reason();
            prop_assert!(reason.len() <= MAX_REASON);
            prop_assert!(!reason.chars().any(char::is_control));
            let text = String::from_utf8(refusal.encode(With::Body)).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            prop_assert_eq!(head.split("\r\n").count(), 7);
            prop_assert!(body.lines().count() <= 8);
            prop_assert!(!body.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
