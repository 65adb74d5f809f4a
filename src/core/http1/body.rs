//! Message bodies: where they end, and how they are passed on.
//!
//! A chunked body is taken apart and chunked anew (RFC 9112 §7.1), so that no oddity of its sender
//! (extensions, padding) reaches the next parser.

use crate::core::http1::{Error, Feed, Fields, HeadReader};

/// How a body is delimited (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// That many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the sender closes; responses only.
    Close,
}

/// How the body of a chunked message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// In chunks, with the trailers.
    Chunked,
    /// As it is: for an HTTP/1.0 client, which knows no chunks. Trailers are dropped.
    Plain,
}

/// A body on its way.
#[derive(Debug)]
pub struct Body {
    state: State,
    coding: Coding,
}

#[derive(Debug)]
enum State {
    Done,
    Length(u64),
    Close,
    /// In the digits of a chunk's size.
    Size {
        size: u64,
        digits: u8,
    },
    /// After the digits: padding and extensions, which are dropped.
    Extension {
        size: u64,
        length: u16,
    },
    /// After the CR that ends the size line.
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailers(HeadReader),
}

/// The longest extension that is skipped, in bytes.
const MAX_EXTENSION: u16 = 4096;

impl Body {
    /// Starts a body.
    pub fn new(framing: Framing, coding: Coding) -> Self {
        let state = match framing {
            Framing::Empty => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { size: 0, digits: 0 },
            Framing::Close => State::Close,
        };
        Self { state, coding }
    }

    /// Returns whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Returns whether the body is complete when its sender closes.
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::Close)
    }

    /// Takes bytes, appends to `out` what is to be passed on, and returns how many it took: fewer
    /// than given only when the body is complete.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Error> {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            if self.is_done() {
                break;
            }
            used += self.step(rest, out)?;
        }
        Ok(used)
    }

    /// Takes at least one byte of a non-empty input.
    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Error> {
        let first = input.first().copied().unwrap_or_default();
        let (next, used) = match std::mem::replace(&mut self.state, State::Done) {
            State::Done => (State::Done, 0),
            State::Close => {
                out.extend_from_slice(input);
                (State::Close, input.len())
            }
            State::Length(left) => {
                let (data, left) = take(input, left);
                out.extend_from_slice(data);
                (if left == 0 { State::Done } else { State::Length(left) }, data.len())
            }
            State::Data { left } => {
                let (data, left) = take(input, left);
                self.write_chunk(data, out);
                (if left == 0 { State::DataCr } else { State::Data { left } }, data.len())
            }
            State::Trailers(reader) => self.trailers(reader, input, out)?,
            framing @ (State::Size { .. }
            | State::Extension { .. }
            | State::SizeLf { .. }
            | State::DataCr
            | State::DataLf) => (delimiter(framing, first)?, 1),
        };
        self.state = next;
        Ok(used)
    }

    fn trailers(
        &self,
        mut reader: HeadReader,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(State, usize), Error> {
        let Feed::Done { lines, used } = reader.feed(input)? else {
            return Ok((State::Trailers(reader), input.len()));
        };
        let mut fields = Fields::parse(&lines)?;
        fields.remove_what_trailers_must_not_carry();
        if self.coding == Coding::Chunked {
            out.extend_from_slice(b"0\r\n");
            fields.encode(out);
            out.extend_from_slice(b"\r\n");
        }
        Ok((State::Done, used))
    }

    fn write_chunk(&self, data: &[u8], out: &mut Vec<u8>) {
        match self.coding {
            Coding::Chunked => {
                out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
            Coding::Plain => out.extend_from_slice(data),
        }
    }
}

/// Takes one byte of what stands between the data of chunks.
fn delimiter(state: State, byte: u8) -> Result<State, Error> {
    Ok(match (state, byte) {
        (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
            let digit = char::from(byte).to_digit(16).unwrap_or_default();
            // 15 digits stay below 2^60: no overflow, and more than any disk holds.
            if digits == 15 {
                return Err(Error::Malformed("the size of a chunk has more than 15 digits"));
            }
            State::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
        }
        (State::Size { size, digits: 1.. } | State::Extension { size, .. }, b'\r') => {
            State::SizeLf { size }
        }
        (State::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => {
            State::Extension { size, length: 1 }
        }
        (State::Extension { length: MAX_EXTENSION, .. }, _) => {
            return Err(Error::TooLarge("the extension of a chunk is longer than 4096 bytes"));
        }
        (State::Extension { size, length }, _) if !byte.is_ascii_control() || byte == b'\t' => {
            State::Extension { size, length: length + 1 }
        }
        (State::SizeLf { size: 0 }, b'\n') => State::Trailers(HeadReader::trailers()),
        (State::SizeLf { size }, b'\n') => State::Data { left: size },
        (State::DataCr, b'\r') => State::DataLf,
        (State::DataLf, b'\n') => State::Size { size: 0, digits: 0 },
        _ => return Err(Error::Malformed("the chunks of the body are malformed")),
    })
}

/// Splits off at most `left` bytes, and returns how many are still to come.
fn take(input: &[u8], left: u64) -> (&[u8], u64) {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    let data = input.get(..length).unwrap_or(input);
    (data, left.saturating_sub(data.len() as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Body, Coding, Framing};
    use crate::core::http1::Error;

    fn run(
        framing: Framing,
        coding: Coding,
        input: &[u8],
    ) -> Result<(Vec<u8>, usize, bool), Error> {
        let (mut body, mut out) = (Body::new(framing, coding), Vec::new());
        let used = body.feed(input, &mut out)?;
        Ok((out, used, body.is_done()))
    }

    #[test]
    fn a_length_takes_its_bytes_and_leaves_the_next_request() {
        let (out, used, done) = run(Framing::Length(3), Coding::Plain, b"abcGET").unwrap();
        assert_eq!((out.as_slice(), used, done), (&b"abc"[..], 3, true));
    }

    #[test]
    fn chunks_are_made_anew_and_extensions_are_dropped() {
        let input =
            b"3;x=\"y\"\r\nabc\r\n2  \r\nde\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\nGET";
        let (out, used, done) = run(Framing::Chunked, Coding::Chunked, input).unwrap();
        assert_eq!(out, b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n");
        assert_eq!((&input[used..], done), (&b"GET"[..], true));
        assert_eq!(run(Framing::Chunked, Coding::Plain, input).unwrap().0, b"abcde");
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for input in [
            &b"\r\nabc"[..],
            b";x\r\n",
            b"g\r\n",
            b"3\nabc",
            b"3\r\nabcd",
            b"3\r\nabc\n",
            b"-1\r\n",
            b"0x3\r\nabc\r\n",
            b"3;\nabc",
            b"1000000000000000\r\n",
            b"0\r\nX : 1\r\n\r\n",
            b"0\r\nX: 1\n\n",
        ] {
            let shown = String::from_utf8_lossy(input);
            assert!(run(Framing::Chunked, Coding::Chunked, input).is_err(), "{shown:?}");
        }
        let endless = [&b"3;"[..], &[b'x'; 5000]].concat();
        assert!(matches!(run(Framing::Chunked, Coding::Plain, &endless), Err(Error::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn chunking_anew_keeps_the_data(chunks in prop::collection::vec("[a-z]{1,40}", 0..6), cut in 1usize..50) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend(format!("{:X}\r\n{chunk}\r\n", chunk.len()).bytes());
            }
            input.extend(b"0\r\n\r\n");
            let (mut body, mut out) = (Body::new(Framing::Chunked, Coding::Chunked), Vec::new());
            for piece in input.chunks(cut) {
                prop_assert_eq!(body.feed(piece, &mut out).unwrap(), piece.len());
            }
            prop_assert!(body.is_done());
            let (plain, _, done) = run(Framing::Chunked, Coding::Plain, &out).unwrap();
            prop_assert_eq!((plain, done), (chunks.concat().into_bytes(), true));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = run(Framing::Chunked, Coding::Chunked, &bytes);
        }
    }
}
