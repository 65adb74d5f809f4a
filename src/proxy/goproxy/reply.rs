//! An answer to a client: its status, the few fields that mean something to go, and its body.
//!
//! What else an upstream sent (cookies, challenges, its own hops) ends here.

use super::session::Manner;
use crate::core::{
    http1::{Fields, Framing, Response, Version},
    modproxy::explain,
    refusal::Refusal,
};

/// What passes of an upstream's fields.
const PASSED: [&str; 5] =
    ["content-type", "content-encoding", "etag", "last-modified", "cache-control"];

/// An answer, as far as it is known before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    reason: Vec<u8>,
    fields: Fields,
    pub(super) body: Vec<u8>,
    /// How long the body would be that HEAD does not get.
    declared: Option<u64>,
}

/// How the rest of a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// There is none.
    None,
    /// The whole body has so many bytes.
    Length(u64),
    /// Nobody knows how long it is.
    Unknown,
}

impl Reply {
    /// Takes what passes of an upstream's answer.
    pub(super) fn of(response: &Response, body: Vec<u8>) -> Self {
        let passes = |name: &str| PASSED.iter().any(|passed| name.eq_ignore_ascii_case(passed));
        let fields = response.fields.0.iter().filter(|field| passes(&field.name)).cloned();
        let (status, reason) = (response.status, response.reason.clone());
        let declared = response.framing("GET").ok().and_then(|framing| match framing {
            Framing::Empty => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::Close => None,
        });
        Self { status, reason, fields: Fields(fields.collect()), body, declared }
    }

    /// Makes one of our own: nobody has it.
    pub(super) fn missing(refusal: &Refusal) -> Self {
        let (status, reason, text) = (404, "Not Found", explain::text(refusal));
        let mut fields = Fields::default();
        fields.push("Content-Type", "text/plain; charset=utf-8");
        fields.push("X-Content-Type-Options", "nosniff");
        let declared = Some(text.len() as u64);
        Self { status, reason: reason.into(), fields, body: text.into_bytes(), declared }
    }

    /// Returns the whole of it, for one write.
    pub(super) fn encode(&self, manner: Manner) -> Vec<u8> {
        if manner.is_head {
            return self.head(self.declared.map_or(Rest::Unknown, Rest::Length), manner);
        }
        let mut out = self.head(Rest::None, manner);
        out.extend_from_slice(&self.body);
        out
    }

    /// Returns its head, with room for the body that is there.
    pub(super) fn head(&self, rest: Rest, manner: Manner) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        let digits = self.status.to_string();
        for part in [b"HTTP/1.1 ", digits.as_bytes(), b" "] {
            out.extend_from_slice(part);
        }
        out.extend(
            self.reason.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }),
        );
        out.extend_from_slice(b"\r\n");
        self.fields.encode(&mut out);
        let length = match rest {
            Rest::None => Some(self.body.len() as u64),
            Rest::Length(length) => Some(length),
            Rest::Unknown => None,
        };
        match (length, manner.version) {
            (Some(length), _) => {
                out.extend_from_slice(b"Content-Length: ");
                out.extend_from_slice(length.to_string().as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            (None, Version::Http11) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            (None, Version::Http10) => {}
        }
        out.extend_from_slice(b"Via: 1.1 gocred\r\n");
        let keeps = manner.keeps && (length.is_some() || manner.version == Version::Http11);
        match (keeps, manner.version) {
            (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
            (true, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            (true, Version::Http11) => {}
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Manner, Refusal, Reply, Response, Rest, Version};

    const PLAIN: Manner = Manner { is_head: false, version: Version::Http11, keeps: true };

    #[test]
    fn only_what_means_something_to_go_passes() {
        let lines = b"HTTP/1.1 404 Nicht da\r\nContent-Type: text/plain\r\nSet-Cookie: a=b\r\n\
                      WWW-Authenticate: Basic\r\nConnection: X\r\nX: y\r\nETag: \"1\"\r\nContent-Length: 12\r\n";
        let reply = Reply::of(&Response::parse(lines).unwrap(), b"not found: m".to_vec());
        assert_eq!(
            String::from_utf8(reply.encode(PLAIN)).unwrap(),
            "HTTP/1.1 404 Nicht da\r\nContent-Type: text/plain\r\nETag: \"1\"\r\n\
             Content-Length: 12\r\nVia: 1.1 gocred\r\n\r\nnot found: m"
        );
        let head = reply.encode(Manner { is_head: true, ..PLAIN });
        assert!(head.ends_with(b"Content-Length: 12\r\nVia: 1.1 gocred\r\n\r\n"));
    }

    #[test]
    fn a_body_of_unknown_length_ends_as_the_client_understands_it() {
        let reply = Reply::missing(&Refusal::new(404, "x", "y"));
        let head = |manner| String::from_utf8(reply.head(Rest::Unknown, manner)).unwrap();
        assert!(head(PLAIN).contains("\r\nTransfer-Encoding: chunked\r\n"));
        let old = head(Manner { version: Version::Http10, ..PLAIN });
        assert!(old.contains("\r\nConnection: close\r\n") && !old.contains("Transfer-Encoding"));
    }
}
