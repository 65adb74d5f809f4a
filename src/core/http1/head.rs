//! Request and response heads: read a byte at a time, parsed when complete, and written.
//!
//! Deliberately refused although RFC 9112 lets a lenient reader pass them: bare LF (§2.2), folded
//! lines (§5.2), blanks before the colon (§5.1). Each has been a smuggling vector.

use crate::core::http1::{Error, Field, Fields, MAX_FIELDS, MAX_HEAD, MAX_LINE, is_token};

/// What most heads fit in, in bytes: room for so much is made at once.
const USUAL: usize = 1024;

/// Collects a head, or a trailer section, up to and with its empty line.
#[derive(Debug, Default)]
pub struct HeadReader {
    bytes: Vec<u8>,
    /// Where the current line starts.
    line: usize,
    /// Complete lines so far.
    lines: usize,
    section: Section,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    /// One empty line may come first (RFC 9112 §2.2: sent by old clients after a POST).
    #[default]
    Head,
    HeadAfterEmptyLine,
    /// An empty first line ends it.
    Trailers,
}

/// What a reader returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// All bytes were taken and more are needed.
    More,
    /// The section is complete; `used` bytes of the last input belong to it.
    Done {
        /// The lines with their line ends, without the empty one.
        lines: Vec<u8>,
        /// How many bytes of the last input were taken.
        used: usize,
    },
}

impl HeadReader {
    /// Starts a trailer section.
    pub(crate) fn trailers() -> Self {
        Self { section: Section::Trailers, ..Self::default() }
    }

    /// Returns whether nothing has arrived yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes bytes. After [`Feed::Done`] or an error the reader is at its end.
    pub fn feed(&mut self, input: &[u8]) -> Result<Feed, Error> {
        self.bytes.reserve(input.len().min(USUAL));
        for (at, byte) in input.iter().enumerate() {
            if self.push(*byte)? {
                return Ok(Feed::Done { lines: std::mem::take(&mut self.bytes), used: at + 1 });
            }
        }
        Ok(Feed::More)
    }

    /// Returns whether this byte ends the section.
    fn push(&mut self, byte: u8) -> Result<bool, Error> {
        let after_cr = self.bytes.len() > self.line && self.bytes.last() == Some(&b'\r');
        match byte {
            0 => return Err(Error::Malformed("there is a NUL in the head")),
            b'\n' if !after_cr => {
                return Err(Error::Malformed("a line of the head ends without CR"));
            }
            b'\n' => return self.end_line(),
            _ if after_cr => return Err(Error::Malformed("there is a bare CR in the head")),
            b' ' | b'\t' if self.bytes.len() == self.line => {
                return Err(Error::Malformed("a line of the head starts with a blank"));
            }
            _ => {}
        }
        self.bytes.push(byte);
        if self.bytes.len() >= MAX_HEAD {
            return Err(Error::TooLarge("the head is larger than 65536 bytes"));
        }
        if self.bytes.len() - self.line > MAX_LINE + 1 {
            return Err(Error::TooLarge("a line of the head is longer than 16384 bytes"));
        }
        Ok(false)
    }

    fn end_line(&mut self) -> Result<bool, Error> {
        if self.bytes.len() == self.line + 1 {
            self.bytes.truncate(self.line);
            match self.section {
                Section::Head if self.lines == 0 => {
                    self.section = Section::HeadAfterEmptyLine;
                    return Ok(false);
                }
                Section::HeadAfterEmptyLine if self.lines == 0 => {
                    return Err(Error::Malformed("there is no first line"));
                }
                Section::Head | Section::HeadAfterEmptyLine | Section::Trailers => return Ok(true),
            }
        }
        self.bytes.push(b'\n');
        self.lines += 1;
        self.line = self.bytes.len();
        let first = usize::from(self.section != Section::Trailers);
        if self.lines > MAX_FIELDS + first {
            return Err(Error::TooLarge("the head has more than 100 fields"));
        }
        Ok(false)
    }
}

/// The versions that are spoken (RFC 9112 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        match text {
            b"HTTP/1.0" => Ok(Self::Http10),
            b"HTTP/1.1" => Ok(Self::Http11),
            _ if text.starts_with(b"HTTP/") => Err(Error::Version),
            _ => Err(Error::Malformed("the first line has no HTTP version where it belongs")),
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method, case as received.
    pub method: String,
    /// The target, printable ASCII without blanks.
    pub target: String,
    /// The version.
    pub version: Version,
    /// The fields, in order.
    pub fields: Fields,
}

impl Request {
    /// Parses the lines of a complete head.
    pub fn parse(lines: &[u8]) -> Result<Self, Error> {
        let (first, rest) = split_line(lines);
        let mut words = first.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Error::Malformed("the request line is not `METHOD target HTTP/1.1`"));
        };
        let version = Version::parse(version)?;
        if method.is_empty() || !method.iter().copied().all(is_token) {
            return Err(Error::Malformed("the method is not a token"));
        }
        if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
            return Err(Error::Malformed("the target is not printable ASCII"));
        }
        Ok(Self {
            method: ascii(method),
            target: ascii(target),
            version,
            fields: Fields::parse(rest)?,
        })
    }

    /// Appends the request line with another target, and the fields; the caller adds the empty line.
    pub fn encode(&self, target: &str, out: &mut Vec<u8>) {
        for part in [self.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        self.fields.encode(out);
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The version.
    pub version: Version,
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase as received; may be empty, may be in any encoding.
    pub reason: Vec<u8>,
    /// The fields, in order.
    pub fields: Fields,
}

impl Response {
    /// Parses the lines of a complete head.
    pub fn parse(lines: &[u8]) -> Result<Self, Error> {
        let (first, rest) = split_line(lines);
        let mut words = first.splitn(3, |byte| *byte == b' ');
        let version = Version::parse(words.next().unwrap_or_default())?;
        let code = words.next().unwrap_or_default();
        let status = match code {
            [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => {
                code.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'))
            }
            _ => return Err(Error::Malformed("the status is not a number of three digits")),
        };
        let reason = words.next().unwrap_or_default().to_vec();
        Ok(Self { version, status, reason, fields: Fields::parse(rest)? })
    }

    /// Appends the status line and the fields; the caller adds the empty line. Control characters
    /// of the reason phrase become blanks.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("HTTP/1.1 {} ", self.status).as_bytes());
        out.extend(
            self.reason.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }),
        );
        out.extend_from_slice(b"\r\n");
        self.fields.encode(out);
    }
}

/// Splits off the first line, without its line end.
fn split_line(lines: &[u8]) -> (&[u8], &[u8]) {
    let end = lines.windows(2).position(|pair| pair == b"\r\n").unwrap_or(lines.len());
    let (first, rest) = lines.split_at(end);
    (first, rest.get(2..).unwrap_or_default())
}

/// Removes the blanks around a value: SP and HTAB (RFC 9110 §5.6.3), not what else may look blank.
fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

impl Fields {
    /// Parses field lines, each with its line end.
    pub(crate) fn parse(mut lines: &[u8]) -> Result<Self, Error> {
        let mut fields = Self::default();
        while !lines.is_empty() {
            let (line, rest) = split_line(lines);
            lines = rest;
            let colon = line.iter().position(|byte| *byte == b':');
            let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else {
                return Err(Error::Malformed("a header line has no colon"));
            };
            let value = trim_blanks(value.get(1..).unwrap_or_default());
            if name.is_empty() || !name.iter().copied().all(is_token) {
                return Err(Error::Malformed("a header name is not a token"));
            }
            if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
                return Err(Error::Malformed("a header value has a control character"));
            }
            fields.0.push(Field { name: ascii(name), value: value.to_vec() });
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Feed, HeadReader, Request, Response, Version};
    use crate::core::http1::Error;

    fn read(bytes: &[u8]) -> Result<Feed, Error> {
        HeadReader::default().feed(bytes)
    }

    fn request(bytes: &[u8]) -> Result<Request, Error> {
        match read(bytes)? {
            Feed::Done { lines, .. } => Request::parse(&lines),
            Feed::More => panic!("not complete"),
        }
    }

    #[test]
    fn a_request_is_read_and_the_rest_is_left() {
        let bytes = b"\r\nGET http://h/ HTTP/1.1\r\nHost: h\r\nX:\ty z \r\n\r\nGET";
        let Ok(Feed::Done { lines, used }) = read(bytes) else { panic!() };
        assert_eq!(&bytes[used..], b"GET");
        let request = Request::parse(&lines).unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "http://h/"));
        assert_eq!(request.version, Version::Http11);
        assert_eq!(request.fields.all("x").next(), Some(&b"y z"[..]));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\nHost: h\n\n"[..],
            b"GET / HTTP/1.1\r\nHost: h\n\r\n",
            b"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\n X: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nX : a\r\n\r\n",
            b"GET / HTTP/1.1\r\n: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nX\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: a\x0bb\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\x0c\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length:\x0c5\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1 \r\n\r\n",
            b"GET /\r\n\r\n",
            b"G(T / HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert!(matches!(request(bytes), Err(Error::Malformed(_))), "{shown:?}");
        }
        assert_eq!(request(b"GET / HTTP/2.0\r\n\r\n"), Err(Error::Version));
    }

    #[test]
    fn every_limit_holds() {
        let fields = |n: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(n));
        assert!(request(fields(100).as_bytes()).is_ok());
        assert!(matches!(request(fields(101).as_bytes()), Err(Error::TooLarge(_))));
        let line = |n: usize| {
            format!("GET / HTTP/1.1\r\n{}\r\n\r\n", "X:".to_owned() + &"y".repeat(n - 2))
        };
        assert!(request(line(16_384).as_bytes()).is_ok());
        assert!(matches!(request(line(16_385).as_bytes()), Err(Error::TooLarge(_))));
        let long = format!("{}\r\n", "X:".to_owned() + &"y".repeat(16_000)).repeat(5);
        let head = format!("GET / HTTP/1.1\r\n{long}\r\n");
        assert!(matches!(read(head.as_bytes()), Err(Error::TooLarge(_))));
        assert!(matches!(read(&vec![b'a'; 100_000]), Err(Error::TooLarge(_))));
    }

    #[test]
    fn a_status_line_may_have_no_reason() {
        for line in ["HTTP/1.1 200", "HTTP/1.1 200 "] {
            let response = Response::parse(format!("{line}\r\n").as_bytes()).unwrap();
            assert_eq!((response.status, response.reason.as_slice()), (200, &b""[..]));
        }
        for line in ["HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 +20", "HTTP/1.1", "HTTP/1.1 099"] {
            assert!(Response::parse(format!("{line}\r\n").as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn the_split_of_the_input_does_not_matter(
            bytes in prop::collection::vec(prop::sample::select(&b"GET /:\r\n\r\n HTTP/1.1\0x"[..]), 0..80),
            at in 0usize..80,
        ) {
            let bytes = [b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat();
            let (left, right) = bytes.split_at(at.min(bytes.len()));
            let mut reader = HeadReader::default();
            let split = reader.feed(left).and_then(|feed| match feed {
                Feed::More => Ok(match reader.feed(right)? {
                    Feed::Done { lines, used } => Feed::Done { lines, used: used + left.len() },
                    Feed::More => Feed::More,
                }),
                Feed::Done { .. } => Ok(feed),
            });
            prop_assert_eq!(split, read(&bytes));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = Request::parse(&bytes);
            let _ = Response::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(name in "[a-zA-Z-]{1,9}", value in "[!-~]([ -~]{0,20}[!-~])?") {
            let text = format!("PUT http://h/ HTTP/1.1\r\n{name}: {value}\r\n\r\n");
            let first = request(text.as_bytes()).unwrap();
            let mut out = Vec::new();
            first.encode(&first.target, &mut out);
            out.extend(b"\r\n");
            prop_assert_eq!(request(&out).unwrap(), first);
        }
    }
}
