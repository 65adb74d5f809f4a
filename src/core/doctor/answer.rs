//! The head of an HTTP answer, read as leniently as go and curl read it: what they take must not be
//! a flaw here. `core::http1` is the strict one, for what is passed on.

use crate::core::http1::Framing;

/// The largest head, in bytes.
pub const MAX: usize = 64 * 1024;

/// A head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// How many bytes it took, its empty line included.
    pub used: usize,
}

/// What bytes are so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole head.
    Whole(Head),
    /// The beginning of one, as far as can be seen.
    More,
    /// No HTTP.
    NotHttp,
    /// A head that does not end within [`MAX`].
    TooLarge,
}

/// Reads a head from the beginning of what came.
pub fn read(bytes: &[u8]) -> Read {
    let begins = bytes.iter().zip(b"HTTP/").all(|(is, should)| is == should);
    if !begins {
        return Read::NotHttp;
    }
    let Some((lines, used)) = lines(bytes) else {
        return if bytes.len() >= MAX { Read::TooLarge } else { Read::More };
    };
    let mut lines = lines.split('\n').map(|line| line.trim_end_matches('\r'));
    let first = lines.next().unwrap_or_default();
    let Some((status, reason)) = status(first) else { return Read::NotHttp };
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    Read::Whole(Head { status, reason, fields: fields.collect(), used })
}

/// Returns the lines up to the empty one, and how many bytes that is.
fn lines(bytes: &[u8]) -> Option<(std::borrow::Cow<'_, str>, usize)> {
    let mut at = 0;
    loop {
        let end = at + bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?;
        let line = bytes.get(at..end)?;
        if matches!(line, b"" | b"\r") {
            return Some((String::from_utf8_lossy(bytes.get(..at)?), end + 1));
        }
        at = end + 1;
        if at > MAX {
            return None;
        }
    }
}

fn status(line: &str) -> Option<(u16, String)> {
    let (_, rest) = line.split_once(' ')?;
    let rest = rest.trim_start();
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    Some((code.parse().ok().filter(|_| is_code)?, reason.trim().to_owned()))
}

impl Head {
    /// Returns the first field of a name, which is in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns every field of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns how the body ends. What nobody can make sense of ends with the connection.
    pub fn framing(&self) -> Framing {
        if self.status == 204 || self.status == 304 {
            return Framing::Empty;
        }
        if self.all("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"))
        {
            return Framing::Chunked;
        }
        match self.field("content-length").and_then(|length| length.parse().ok()) {
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Head, MAX, Read, read};
    use crate::core::http1::Framing;

    fn whole(text: &str) -> Head {
        let Read::Whole(head) = read(text.as_bytes()) else { panic!("{text} is no head") };
        head
    }

    #[test]
    fn a_head_is_read_with_either_line_end() {
        for text in [
            "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nX: a:b\r\n\r\nbody",
            "HTTP/1.0 302 Found\nlocation:http://portal/\nx: a:b\n\nbody",
        ] {
            let head = whole(text);
            assert_eq!((head.status, head.reason.as_str()), (302, "Found"));
            assert_eq!(head.field("location"), Some("http://portal/"));
            assert_eq!(head.field("x"), Some("a:b"));
            assert!(text.ends_with("body") && head.used == text.len() - 4);
        }
        assert_eq!(whole("HTTP/1.1 200\r\n\r\n").reason, "");
    }

    #[test]
    fn what_is_no_http_is_known_by_its_first_bytes() {
        for text in ["SSH-2.0-OpenSSH_9", "\u{15}\u{3}\u{3}", "HTTX", "HTTP/1.1 x\r\n\r\n"] {
            assert_eq!(read(text.as_bytes()), Read::NotHttp, "{text}");
        }
        for text in ["", "H", "HTTP/1.1 200 OK\r\nX: y\r\n"] {
            assert_eq!(read(text.as_bytes()), Read::More, "{text}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(MAX));
        assert_eq!(read(endless.as_bytes()), Read::TooLarge);
    }

    #[test]
    fn the_end_of_a_body_is_known() {
        for (fields, framing) in [
            ("Content-Length: 12\r\n", Framing::Length(12)),
            ("Content-Length: 0\r\n", Framing::Empty),
            ("Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n", Framing::Chunked),
            ("Content-Length: x\r\n", Framing::Close),
            ("", Framing::Close),
        ] {
            assert_eq!(whole(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).framing(), framing);
        }
        assert_eq!(whole("HTTP/1.1 304 Not Modified\r\n\r\n").framing(), Framing::Empty);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&[b"HTTP/1.1 200 ".as_slice(), &bytes].concat());
            let _ = read(&bytes);
        }
    }
}
