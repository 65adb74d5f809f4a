//! The frames between the agent and who asks it: one question a connection, one answer.
//!
//! ```text
//! question = "GOC1 " verb " " place " " flags " " length LF body
//! answer   = *( "GOC1 work 0 0" LF ) "GOC1 " word " " length " " length LF out err
//! ```
//! All of a line is ASCII, and at most [`MAX_LINE`] bytes with its end. What a body says is its reader's
//! matter; how much of it there may be is decided here, before any of it is kept. Of another version
//! nothing is read but that it is one.

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

/// The longest line, line feed included.
pub const MAX_LINE: usize = 128;
/// The longest question: git's longest request (`core::gitproto::MAX_REQUEST`).
pub const MAX_QUESTION: usize = 1024 * 1024;
/// The longest answer for standard output.
pub const MAX_OUT: usize = 256 * 1024;
/// The longest line for standard error.
pub const MAX_ERR: usize = 4096;
/// What is sent while the answer is not ready: who waits knows that somebody works on it.
pub const WORK: &[u8] = b"GOC1 work 0 0\n";

const MAGIC: &str = "GOC1";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// What a program of ours asks for another one; JSON.
    Ask,
    /// Forget what is held for an origin and an account.
    Forget,
    /// git's `erase`, as it came.
    GitErase,
    /// git's `get`, as it came.
    GitGet,
    /// git's `store`, as it came.
    GitStore,
    /// go's question.
    Goauth,
    /// The key of an encrypted file.
    Key,
    /// Forget every key and secret.
    Lock,
    /// What is kept in the agent's memory alone.
    #[cfg(feature = "full")]
    Memory,
    /// What it holds, without secrets.
    Status,
    /// Keep a key.
    Unlock,
}

impl Verb {
    const ALL: &[(&str, Self)] = &[
        ("ask", Self::Ask),
        ("forget", Self::Forget),
        ("git-erase", Self::GitErase),
        ("git-get", Self::GitGet),
        ("git-store", Self::GitStore),
        ("goauth", Self::Goauth),
        ("key", Self::Key),
        ("lock", Self::Lock),
        #[cfg(feature = "full")]
        ("memory", Self::Memory),
        ("status", Self::Status),
        ("unlock", Self::Unlock),
    ];
}

/// How an answer is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It could not be answered; `err` says why.
    Failed,
    /// A store is locked; `err` says which.
    Locked,
    /// It is not the agent's: who asks answers it itself.
    No,
    /// It is the answer; an empty one means that there is nothing.
    Ok,
    /// It is not allowed; `err` says why.
    Refused,
}

impl Word {
    const ALL: [(&str, Self); 5] = [
        ("failed", Self::Failed),
        ("locked", Self::Locked),
        ("no", Self::No),
        ("ok", Self::Ok),
        ("refused", Self::Refused),
    ];
}

/// Which files, store and variables somebody works with, as a number: the agent answers nobody who works
/// with others. It keeps nobody out, so that a number that two may share by chance is enough (FNV-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u64);

impl Place {
    /// That of who works with nothing of this user.
    pub const NOWHERE: Self = Self(0);

    /// Takes what it consists of, in order.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in parts.into_iter().flat_map(|part| part.iter().chain([&0])) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(hash)
    }
}

/// What matters of who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// A person is there and waits.
    pub const PERSON: Self = Self(1);
    /// Nobody can be asked anything.
    pub const UNATTENDED: Self = Self(2);
    /// It has a GOPRIVATE of its own: what the agent does not know may be private to it.
    pub const PRIVATE: Self = Self(4);
    /// It is probably run by go.
    pub const GO: Self = Self(8);

    /// Adds one where it is so.
    #[must_use]
    pub fn with(self, flag: Self, is_so: bool) -> Self {
        if is_so { Self(self.0 | flag.0) } else { self }
    }

    /// Returns whether one is set.
    pub fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is asked.
    pub verb: Verb,
    /// What who asks works with.
    pub place: Place,
    /// Who asks.
    pub flags: Flags,
    /// The question's own words, which may be secret.
    pub body: &'a [u8],
}

impl Question<'_> {
    /// Writes it. `None`: it is too long.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let Self { verb, place: Place(place), flags: Flags(flags), body } = self;
        let length = Some(body.len()).filter(|length| *length <= MAX_QUESTION)?;
        let verb = name(Verb::ALL, *verb);
        let line = format!("{MAGIC} {verb} {place:016x} {flags:02x} {length}\n");
        Some(joined(&[line.as_bytes(), body]))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// How it is meant.
    pub word: Word,
    /// For standard output, or what was asked for.
    pub out: Zeroizing<Vec<u8>>,
    /// For standard error; empty is nothing.
    pub err: String,
}

impl Answer {
    /// An answer that says only how it is meant.
    pub fn of(word: Word) -> Self {
        Self { word, out: Zeroizing::default(), err: String::new() }
    }

    /// Writes it. One that is too long becomes a failure that says so.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let Self { word, out, err } = self;
        if out.len() > MAX_OUT || err.len() > MAX_ERR {
            let err = "gocred: the answer is too long for the agent".to_owned();
            return Self { err, ..Self::of(Word::Failed) }.encode();
        }
        let word = name(&Word::ALL, *word);
        let line = format!("{MAGIC} {word} {} {}\n", out.len(), err.len());
        joined(&[line.as_bytes(), out, err.as_bytes()])
    }
}

/// Why a frame is not read on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// It is of another version, or asks for what this one does not know: the answer is "no".
    #[error("another version of gocred speaks")]
    Unknown,
    /// It is no frame.
    #[error("this is not the agent's protocol")]
    Wrong,
}

/// The first line of a frame: what is read of it, and how many bytes follow.
pub trait Head: Sized {
    /// Reads a line, without its line feed. `Ok(None)`: it says nothing, and another one follows.
    fn parse(line: &str) -> Result<Option<(Self, usize)>, Malformed>;
}

/// The line of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is asked.
    pub verb: Verb,
    /// What who asks works with.
    pub place: Place,
    /// Who asks.
    pub flags: Flags,
}

impl Head for Asked {
    fn parse(line: &str) -> Result<Option<(Self, usize)>, Malformed> {
        let [verb, place, flags, length] = words(line)?;
        let hex = |text: &str, digits| {
            let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            let is_it = text.len() == digits && text.bytes().all(is_hex);
            is_it.then(|| u64::from_str_radix(text, 16).ok()).flatten().ok_or(Malformed::Wrong)
        };
        let place = Place(hex(place, 16)?);
        let flags = Flags(u8::try_from(hex(flags, 2)?).map_err(|_| Malformed::Wrong)?);
        let length = number(length, MAX_QUESTION)?;
        let verb = of_name(Verb::ALL, verb).ok_or(Malformed::Unknown)?;
        Ok(Some((Self { verb, place, flags }, length)))
    }
}

/// The line of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    word: Word,
    /// How many of the bytes that follow are for standard output.
    out: usize,
}

impl Head for Answered {
    fn parse(line: &str) -> Result<Option<(Self, usize)>, Malformed> {
        let [word, out, err] = words(line)?;
        let (out, err) = (number(out, MAX_OUT)?, number(err, MAX_ERR)?);
        if (word, out, err) == ("work", 0, 0) {
            return Ok(None);
        }
        let word = of_name(&Word::ALL, word).ok_or(Malformed::Wrong)?;
        Ok(Some((Self { word, out }, out + err)))
    }
}

/// Takes a frame in any number of pieces.
#[derive(Debug)]
pub struct Decoder<H> {
    line: Vec<u8>,
    head: Option<(H, usize)>,
    body: Zeroizing<Vec<u8>>,
}

impl<H> Default for Decoder<H> {
    fn default() -> Self {
        Self { line: Vec::with_capacity(MAX_LINE), head: None, body: Zeroizing::default() }
    }
}

impl<H: Head> Decoder<H> {
    /// Takes the next piece. `true`: the frame is whole. Nothing may follow it.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<bool, Malformed> {
        while self.head.is_none() {
            let end = piece.iter().position(|byte| *byte == b'\n');
            let (line, rest) = piece.split_at(end.map_or(piece.len(), |end| end + 1));
            if self.line.len() + line.len() > MAX_LINE {
                return Err(Malformed::Wrong);
            }
            self.line.extend_from_slice(line);
            piece = rest;
            let Some(line) = self.line.strip_suffix(b"\n") else { return Ok(false) };
            let line = str::from_utf8(line).map_err(|_| Malformed::Wrong)?;
            self.head = H::parse(line)?;
            self.line.clear();
            if let Some((_, length)) = self.head {
                self.body.reserve_exact(length);
            }
        }
        let length = self.head.as_ref().map_or(0, |(_, length)| *length);
        if piece.len() > length - self.body.len() {
            return Err(Malformed::Wrong);
        }
        self.body.extend_from_slice(piece);
        Ok(self.body.len() == length)
    }
}

impl Decoder<Asked> {
    /// Returns the question. `None`: it is not whole.
    pub fn finish(self) -> Option<(Asked, Zeroizing<Vec<u8>>)> {
        let Self { line: _, head, body } = self;
        let (head, length) = head?;
        (body.len() == length).then_some((head, body))
    }
}

impl Decoder<Answered> {
    /// Returns the answer. `None`: it is not whole, or no text.
    pub fn finish(self) -> Option<Answer> {
        let Self { line: _, head, mut body } = self;
        let (Answered { word, out }, length) = head?;
        if body.len() != length {
            return None;
        }
        let err = String::from_utf8(body.split_off(out)).ok()?;
        Some(Answer { word, out: body, err })
    }
}

/// Splits a line of this version into its words.
fn words<const N: usize>(line: &str) -> Result<[&str; N], Malformed> {
    let (magic, rest) = line.split_once(' ').ok_or(Malformed::Wrong)?;
    if magic != MAGIC {
        let is_other = magic.len() == MAGIC.len() && magic.starts_with("GOC");
        return Err(if is_other { Malformed::Unknown } else { Malformed::Wrong });
    }
    let mut words = rest.split(' ');
    let mut found = [""; N];
    for place in &mut found {
        *place = words.next().ok_or(Malformed::Wrong)?;
    }
    if words.next().is_some() { Err(Malformed::Wrong) } else { Ok(found) }
}

/// Reads a length: decimal digits without leading zeros, and within its limit.
fn number(text: &str, limit: usize) -> Result<usize, Malformed> {
    let is_plain = text == "0" || !text.starts_with('0');
    let is_number = is_plain && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok()).flatten().ok_or(Malformed::Wrong)?;
    if number <= limit { Ok(number) } else { Err(Malformed::Wrong) }
}

fn name<T: Copy + PartialEq>(all: &[(&'static str, T)], one: T) -> &'static str {
    all.iter().find(|(_, other)| *other == one).map_or("", |(name, _)| name)
}

fn of_name<T: Copy>(all: &[(&str, T)], name: &str) -> Option<T> {
    all.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
}

/// Joins pieces in a buffer that never grows: growth would leave a copy of a secret behind.
fn joined(pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let mut whole = Zeroizing::new(Vec::with_capacity(length));
    for piece in pieces {
        whole.extend_from_slice(piece);
    }
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Answer, Answered, Asked, Decoder, Flags, MAX_ERR, MAX_LINE, MAX_OUT, MAX_QUESTION,
        Malformed, Place, Question, Verb, WORK, Word,
    };

    fn ask(bytes: &[u8]) -> Result<bool, Malformed> {
        Decoder::<Asked>::default().feed(bytes)
    }

    fn hear(bytes: &[u8]) -> Result<bool, Malformed> {
        Decoder::<Answered>::default().feed(bytes)
    }

    #[test]
    fn a_question_is_written_as_it_is_specified() {
        let question = Question {
            verb: Verb::GitGet,
            place: Place(0xab),
            flags: Flags::UNATTENDED.with(Flags::GO, true),
            body: b"host=h\n",
        };
        let written = question.encode().unwrap();
        assert_eq!(&written[..], b"GOC1 git-get 00000000000000ab 0a 7\nhost=h\n");
        let long = vec![0; MAX_QUESTION + 1];
        assert!(Question { body: &long, ..question }.encode().is_none());
    }

    #[test]
    fn an_answer_is_written_as_it_is_specified() {
        let answer =
            Answer { word: Word::Ok, out: b"a=b\n".to_vec().into(), err: "e\u{fc}".to_owned() };
        assert_eq!(&answer.encode()[..], "GOC1 ok 4 3\na=b\ne\u{fc}".as_bytes());
        assert_eq!(&Answer::of(Word::No).encode()[..], b"GOC1 no 0 0\n");
        let long = Answer { out: vec![0; MAX_OUT + 1].into(), ..Answer::of(Word::Ok) };
        assert!(long.encode().starts_with(b"GOC1 failed 0 "));
        let long = Answer { err: "e".repeat(MAX_ERR + 1), ..Answer::of(Word::Ok) };
        assert!(long.encode().starts_with(b"GOC1 failed 0 "));
    }

    #[test]
    fn every_verb_and_word_is_read_as_it_is_written() {
        for &(_, verb) in Verb::ALL {
            let question = Question { verb, place: Place(1), flags: Flags::default(), body: b"" };
            let mut decoder = Decoder::<Asked>::default();
            assert_eq!(decoder.feed(&question.encode().unwrap()), Ok(true));
            assert_eq!(decoder.finish().unwrap().0.verb, verb);
        }
        for (_, word) in Word::ALL {
            let mut decoder = Decoder::<Answered>::default();
            assert_eq!(decoder.feed(&Answer::of(word).encode()), Ok(true));
            assert_eq!(decoder.finish().unwrap().word, word);
        }
    }

    #[test]
    fn what_is_not_exactly_a_question_is_refused() {
        for line in [
            "GOC1 git-get 00000000000000ab 00 00",
            "GOC1 git-get 00000000000000ab 00 +1",
            "GOC1 git-get 00000000000000ab 00 ",
            "GOC1 git-get 00000000000000ab 00 1048577",
            "GOC1 git-get 00000000000000ab 00 99999999999999999999999999",
            "GOC1 git-get 00000000000000AB 00 0",
            "GOC1 git-get ab 00 0",
            "GOC1 git-get 00000000000000ab 0 0",
            "GOC1 git-get 00000000000000ab 00 0 0",
            "GOC1 git-get 00000000000000ab 00",
            "GOC1  git-get 00000000000000ab 00 0",
            "GOC1",
            "{\"ask\":\"status\"}",
            "goc1 status 00000000000000ab 00 0",
            "\u{fc}",
            "",
        ] {
            assert_eq!(ask(format!("{line}\n").as_bytes()), Err(Malformed::Wrong), "{line}");
        }
        assert_eq!(ask(b"GOC1 \xff\n"), Err(Malformed::Wrong));
        assert_eq!(ask(&[b'G'; MAX_LINE + 1]), Err(Malformed::Wrong));
        assert_eq!(ask(b"GOC1 lock 00000000000000ab 00 0\nmore"), Err(Malformed::Wrong));
    }

    #[test]
    fn another_version_is_told_from_noise() {
        assert_eq!(ask(b"GOC2 whatever it says\n"), Err(Malformed::Unknown));
        assert_eq!(ask(b"GOC1 dance 00000000000000ab 00 0\n"), Err(Malformed::Unknown));
        assert_eq!(hear(b"GOC2 ok 0 0\n"), Err(Malformed::Unknown));
    }

    #[test]
    fn an_answer_is_limited_before_it_is_kept() {
        for line in ["GOC1 ok 262145 0", "GOC1 ok 0 4097", "GOC1 fine 0 0", "GOC1 work 1 0"] {
            assert_eq!(hear(format!("{line}\n").as_bytes()), Err(Malformed::Wrong), "{line}");
        }
        let mut decoder = Decoder::<Answered>::default();
        assert_eq!(decoder.feed(b"GOC1 ok 0 1\n\xff"), Ok(true));
        assert!(decoder.finish().is_none(), "what goes to a terminal is text");
    }

    #[test]
    fn places_differ_by_each_part_and_by_where_it_ends() {
        let places = [
            Place::of([&b"a"[..], b"b"]),
            Place::of([&b"ab"[..], b""]),
            Place::of([&b""[..], b"ab"]),
            Place::of([&b"b"[..], b"a"]),
        ];
        for (at, place) in places.iter().enumerate() {
            assert_eq!(places.iter().position(|other| other == place), Some(at));
        }
        assert_eq!(Place::of([&b"a"[..]]), Place::of([&b"a"[..]]));
    }

    proptest! {
        #[test]
        fn a_question_is_the_same_in_any_pieces(
            body in prop::collection::vec(any::<u8>(), 0..200), cut in 1..64_usize, flags in 0..16_u8,
        ) {
            let (verb, place, flags) = (Verb::GitStore, Place(7), Flags(flags));
            let bytes = Question { verb, place, flags, body: &body }.encode().unwrap();
            let mut decoder = Decoder::<Asked>::default();
            let pieces: Vec<_> = bytes.chunks(cut).collect();
            for (at, piece) in pieces.iter().enumerate() {
                let is_last = at + 1 == pieces.len();
                let is_whole = decoder.feed(piece).unwrap();
                // An empty body is whole with its line.
                prop_assert_eq!(is_whole, is_last);
            }
            let (head, read) = decoder.finish().unwrap();
            prop_assert_eq!(head, Asked { verb, place, flags });
            prop_assert_eq!(&read[..], &body[..]);
        }

        #[test]
        fn an_answer_is_the_same_in_any_pieces_and_after_any_wait(
            out in prop::collection::vec(any::<u8>(), 0..200), err in "\\PC{0,20}",
            cut in 1..64_usize, waits in 0..4_usize,
        ) {
            let answer = Answer { word: Word::Locked, out: out.clone().into(), err: err.clone() };
            let mut bytes = WORK.repeat(waits);
            bytes.extend_from_slice(&answer.encode());
            let mut decoder = Decoder::<Answered>::default();
            for piece in bytes.chunks(cut) {
                decoder.feed(piece).unwrap();
            }
            let read = decoder.finish().unwrap();
            prop_assert_eq!(read.word, Word::Locked);
            prop_assert_eq!((&read.out[..], read.err), (&out[..], err));
        }

        #[test]
        fn nothing_that_comes_makes_it_fail_badly(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = ask(&bytes);
            let _ = hear(&[b"GOC1 ok ", bytes.as_slice()].concat());
        }
    }
}
