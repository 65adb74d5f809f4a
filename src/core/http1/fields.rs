//! Header fields: what frames a message, what belongs to one hop, and who may pass.

use crate::core::http1::{Error, Framing, Request, Response, Version};

/// One field, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, case as received; a token.
    pub name: String,
    /// The value without blanks around it; may be in any encoding.
    pub value: Vec<u8>,
}

/// The fields of a message, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<Field>);

/// Fields that concern one connection (RFC 9110 §7.6.1), and those of a proxy's own authentication
/// (§11.7): none of them passes, whatever `Connection` says.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// What a trailer section must not carry (RFC 9110 §6.5.1): framing, routing, authentication.
const NOT_IN_TRAILERS: [&str; 9] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "host",
    "set-cookie",
    "trailer",
];

impl Fields {
    /// Returns every value of a field. `name` is lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.as_slice())
    }

    /// Appends a field. The caller vouches for the value.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push(Field { name: name.to_owned(), value: value.into() });
    }

    /// Removes every field of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|field| !field.name.eq_ignore_ascii_case(name));
    }

    /// Returns whether a comma-separated field holds a word, whatever its case.
    pub fn has_word(&self, name: &str, word: &str) -> bool {
        self.words(name).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Removes what concerns one connection, and everything that `Connection` names, except the
    /// length of the body: a body that is passed on without it becomes the next message.
    pub fn remove_hop_by_hop(&mut self) {
        let mut named: Vec<Vec<u8>> = self.words("connection").map(<[u8]>::to_vec).collect();
        named.retain(|name| !name.eq_ignore_ascii_case(b"content-length"));
        self.0.retain(|field| {
            let is = |name: &[u8]| field.name.as_bytes().eq_ignore_ascii_case(name);
            !HOP_BY_HOP.iter().any(|name| is(name.as_bytes())) && !named.iter().any(|name| is(name))
        });
    }

    /// Removes what a trailer section must not carry.
    pub(crate) fn remove_what_trailers_must_not_carry(&mut self) {
        self.remove_hop_by_hop();
        self.0.retain(|field| {
            !NOT_IN_TRAILERS.iter().any(|name| field.name.eq_ignore_ascii_case(name))
        });
    }

    /// Appends the field lines.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for Field { name, value } in &self.0 {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn words<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    }

    /// Returns the one length, of digits only. Two fields, or a list, are an error even where the
    /// lengths agree (RFC 9112 §6.3 would allow that): nobody needs it but a smuggler.
    fn content_length(&self) -> Result<Option<u64>, Error> {
        let mut values = self.all("content-length");
        let (first, second) = (values.next(), values.next());
        match (first, second) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Error::Malformed("there are two Content-Length fields")),
            (Some(digits), None) => std::str::from_utf8(digits)
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
                .map(Some)
                .ok_or(Error::Malformed("the Content-Length is not a number")),
        }
    }

    /// Returns whether the body is chunked. `chunked` alone is spoken; every other spelling, and a
    /// length beside it, is an error (RFC 9112 §6.1, §6.3).
    fn is_chunked(&self) -> Result<bool, Error> {
        let mut codings = self.all("transfer-encoding");
        let (first, second) = (codings.next(), codings.next());
        match (first, second) {
            (None, _) => Ok(false),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
                if self.all("content-length").next().is_some() {
                    return Err(Error::Malformed("there are Transfer-Encoding and Content-Length"));
                }
                Ok(true)
            }
            (Some(_), _) => Err(Error::Malformed("the Transfer-Encoding is not just `chunked`")),
        }
    }

    fn keeps_open(&self, version: Version) -> bool {
        match version {
            Version::Http10 => self.has_word("connection", "keep-alive"),
            Version::Http11 => !self.has_word("connection", "close"),
        }
    }
}

impl Request {
    /// Returns how its body is delimited (RFC 9112 §6.3).
    pub fn framing(&self) -> Result<Framing, Error> {
        match (self.fields.is_chunked()?, self.version, self.fields.content_length()?) {
            (true, Version::Http10, _) => {
                Err(Error::Malformed("HTTP/1.0 has no Transfer-Encoding"))
            }
            (true, Version::Http11, _) => Ok(Framing::Chunked),
            (false, _, None | Some(0)) => Ok(Framing::Empty),
            (false, _, Some(length)) => Ok(Framing::Length(length)),
        }
    }

    /// Returns whether the client wants the connection to stay open.
    pub fn keeps_open(&self) -> bool {
        self.fields.keeps_open(self.version)
    }
}

impl Response {
    /// Returns how its body is delimited, as the answer to a request with this method.
    pub fn framing(&self, method: &str) -> Result<Framing, Error> {
        let chunked = self.fields.is_chunked()?;
        let length = self.fields.content_length()?;
        if method == "HEAD" || matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(Framing::Empty);
        }
        match (chunked, self.version, length) {
            (true, Version::Http10, _) => {
                Err(Error::Malformed("HTTP/1.0 has no Transfer-Encoding"))
            }
            (true, Version::Http11, _) => Ok(Framing::Chunked),
            (false, _, None) => Ok(Framing::Close),
            (false, _, Some(0)) => Ok(Framing::Empty),
            (false, _, Some(length)) => Ok(Framing::Length(length)),
        }
    }

    /// Returns whether the server keeps the connection open.
    pub fn keeps_open(&self) -> bool {
        self.fields.keeps_open(self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::core::http1::{Framing, Request, Response};

    fn request(fields: &str) -> Request {
        Request::parse(format!("POST http://h/ HTTP/1.1\r\n{fields}").as_bytes()).unwrap()
    }

    #[test]
    fn a_body_has_one_length_or_is_chunked() {
        for (fields, framing) in [
            ("", Framing::Empty),
            ("Content-Length: 0\r\n", Framing::Empty),
            ("Content-Length: 5\r\n", Framing::Length(5)),
            ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
            ("transfer-encoding: Chunked\r\n", Framing::Chunked),
        ] {
            assert_eq!(request(fields).framing(), Ok(framing), "{fields}");
        }
    }

    #[test]
    fn what_smuggles_has_no_framing() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: identity, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: chunked;x=y\r\n",
            "Transfer-Encoding:\r\n",
        ] {
            assert!(request(fields).framing().is_err(), "{fields}");
        }
        let old = Request::parse(b"POST http://h/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n");
        assert!(old.unwrap().framing().is_err());
    }

    #[test]
    fn an_answer_without_a_body_has_none_whatever_it_says() {
        let response = |text: &str| Response::parse(text.as_bytes()).unwrap();
        let with_length = "HTTP/1.1 200 ok\r\nContent-Length: 5\r\n";
        assert_eq!(response(with_length).framing("HEAD"), Ok(Framing::Empty));
        assert_eq!(response(with_length).framing("GET"), Ok(Framing::Length(5)));
        assert_eq!(response("HTTP/1.1 304 x\r\n").framing("GET"), Ok(Framing::Empty));
        assert_eq!(response("HTTP/1.0 200 x\r\n").framing("GET"), Ok(Framing::Close));
    }

    #[test]
    fn what_concerns_one_hop_never_passes() {
        let mut fields = request(
            "Connection: close, X-Drop\r\nconnection: x-too\r\nX-Drop: 1\r\nX-Too: 1\r\nTE: trailers\r\n\
             Keep-Alive: 5\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nProxy-Authorization: Basic eDp5\r\n\
             Transfer-Encoding: chunked\r\nAccept: a\r\n",
        )
        .fields;
        fields.remove_hop_by_hop();
        let names: Vec<&str> = fields.0.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["Accept"]);
    }

    #[test]
    fn http_1_0_closes_unless_asked() {
        let old = |fields: &str| {
            Request::parse(format!("GET http://h/ HTTP/1.0\r\n{fields}").as_bytes()).unwrap()
        };
        assert!(!old("").keeps_open());
        assert!(old("Connection: Keep-Alive\r\n").keeps_open());
        assert!(request("").keeps_open());
        assert!(!request("Connection: Close\r\n").keeps_open());
        assert_eq!(Fields::default().all("x").count(), 0);
    }
}
