//! netrc files, as curl and as Go read them, without losing a byte.
//!
//! There is no standard: each tool has its own grammar, and on many real files they disagree
//! (netrc.md). So a *reading* is one dialect's view of a file; what all readings share is spans into
//! the same bytes. It deliberately does no IO, and knows nothing of `account` but where it stands.

pub mod curl;
pub mod edit;
pub mod go;
pub mod import;
mod quote;
mod token;
mod view;

use std::{fmt, ops::Range};

use thiserror::Error;

pub use self::token::{Token, TokenKind};
use crate::core::secret::SecretString;

/// The largest file that is read, in bytes (curl's `MAX_NETRC_FILE`).
pub const MAX_FILE: usize = 128 * 1024;

/// Whose grammar a file is read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// libcurl since 8.21, and so git: a stream of tokens, quotes, `default`, hosts without port.
    Curl,
    /// cmd/go, unchanged since 1.13: pairs of words on a line, no quotes, no `default`.
    Go,
}

impl Dialect {
    /// Reads a file. It never fails: what cannot be read is in [`Netrc::error`].
    pub fn read(self, source: &[u8]) -> Netrc {
        match self {
            Self::Curl => curl::read(source),
            Self::Go => go::read(source),
        }
    }
}

/// One dialect's reading of a file.
#[derive(Clone, Debug)]
pub struct Netrc {
    /// The entries, in the order of the file, complete or not.
    pub entries: Vec<Entry>,
    /// The whole file: the spans join without gap or overlap.
    pub tokens: Vec<Token>,
    /// Where the reading ended before the end of the file. The entries before it count.
    pub error: Option<Error>,
}

impl Netrc {
    /// Reads a file as curl does, the dialect that sees the most.
    pub fn parse(source: &[u8]) -> Self {
        curl::read(source)
    }
}

/// A `machine` or `default` with what belongs to it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The line of its first word, from 1.
    pub line: usize,
    /// Whom it is for.
    pub machine: Machine,
    /// The account; the last one counts.
    pub login: Option<Value<String>>,
    /// The password; the last one counts.
    pub password: Option<Value<SecretString>>,
    /// Its tokens in [`Netrc::tokens`], the space and the skipped words between them included.
    pub tokens: Range<usize>,
}

/// Whom an entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Everybody that no earlier entry names. gocred never releases it.
    Default,
    /// The host as it is written; dialects differ on case, port and scheme.
    Host(String),
    /// A host that is not UTF-8, or none at all: nobody's.
    Nobody,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Value<T> {
    /// Its bytes in the file, with the quotes.
    pub span: Range<usize>,
    /// What it says once quotes and escapes are resolved; `None` if that is not UTF-8.
    pub text: Option<T>,
}

/// The credential that a tool would use.
#[derive(Clone, Debug)]
pub struct Found {
    /// The line of its entry, from 1.
    pub line: usize,
    /// What made it match.
    pub by: Match,
    /// The account; `None` if neither the entry nor the question has one.
    pub login: Option<String>,
    /// The password; `None` if the entry has none (curl sends the account alone).
    pub password: Option<SecretString>,
}

/// What made an entry match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Nothing named the host: a `default` entry.
    Default,
    /// The host's own name.
    Machine,
}

/// Why a file, or an entry, cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// The reason.
    pub what: Fault,
}

/// The reasons, without any byte of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// More than [`MAX_FILE`] bytes.
    File,
    /// A line of 16 KiB or more.
    Line,
    /// A value that is not UTF-8.
    NotText,
    /// A quote that is not closed.
    Quote,
    /// A carriage return with a blank behind it, outside a value.
    Return,
    /// A value of 4 KiB or more.
    Value,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "the file is larger than 128 KiB",
            Self::Line => "the line is longer than 16 KiB",
            Self::NotText => "a value is not UTF-8",
            Self::Quote => "a quote is not closed",
            Self::Return => "there is a blank behind a carriage return",
            Self::Value => "a value is longer than 4 KiB",
        })
    }
}

/// Where lines begin, to turn an offset into a line.
#[derive(Default)]
struct Lines(Vec<usize>);

impl Lines {
    fn of(source: &[u8]) -> Self {
        let ends = source.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// Returns the line of an offset, from 1.
    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}

impl Entry {
    /// Returns what a tool gets from this entry.
    fn found(&self, login: Option<&str>) -> Result<Found, Error> {
        let Self { line, machine, login: own, password, tokens: _ } = self;
        let not_text = Error { line: *line, what: Fault::NotText };
        let own = match own {
            Some(own) => Some(own.text.clone().ok_or(not_text)?),
            None => None,
        };
        let password = match password {
            Some(password) => Some(password.text.clone().ok_or(not_text)?),
            None => None,
        };
        let by = match machine {
            Machine::Default => Match::Default,
            Machine::Host(_) | Machine::Nobody => Match::Machine,
        };
        Ok(Found { line: *line, by, login: login.map(str::to_owned).or(own), password })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Dialect, Machine, Netrc, edit};

    /// Bytes that mean something to one of the dialects, and some that mean nothing.
    fn file() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            prop::sample::select(vec![
                "machine", "login", "password", "default", "macdef", "account", "h", "i", "a", "p",
            ])
            .prop_map(|word| word.as_bytes().to_vec()),
            prop::sample::select(vec![
                &b" "[..],
                b"\n",
                b"\r\n",
                b"\t",
                b"\"",
                b"\\",
                b"#",
                b"\0",
                b"\n\n",
                b"\xff",
                b"\xc2\x85",
            ])
            .prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..3),
        ];
        prop::collection::vec((word, prop::sample::select(vec![&b" "[..], b"", b"\n"])), 0..60)
            .prop_map(|words| {
                words.into_iter().flat_map(|(word, gap)| [word, gap.to_vec()]).flatten().collect()
            })
    }

    fn check(source: &[u8]) -> Result<(), TestCaseError> {
        for dialect in [Dialect::Curl, Dialect::Go] {
            let netrc = dialect.read(source);
            let mut end = 0;
            for token in &netrc.tokens {
                prop_assert_eq!(token.span.start, end);
                prop_assert!(token.span.end > end);
                end = token.span.end;
            }
            prop_assert_eq!(end, source.len());
            for entry in &netrc.entries {
                prop_assert!(entry.tokens.end <= netrc.tokens.len());
                prop_assert!(!entry.tokens.is_empty());
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_the_spans_rebuild_them(
            bytes in prop::collection::vec(any::<u8>(), 0..600)
        ) {
            check(&bytes)?;
        }

        #[test]
        fn any_netrc_is_read_and_the_spans_rebuild_it(source in file()) {
            check(&source)?;
        }

        #[test]
        fn what_is_removed_leaves_every_other_byte(source in file(), pick in any::<u64>()) {
            let netrc = Netrc::parse(&source);
            let entries = netrc.entries.iter().enumerate();
            let entries = entries.filter(|(index, _)| pick >> (index % 64) & 1 == 1);
            let cuts = edit::cuts(&source, &netrc, entries.map(|(_, entry)| entry));
            let mut end = 0;
            for cut in &cuts {
                prop_assert!(cut.start >= end && cut.end <= source.len());
                end = cut.end;
            }
            let after = edit::cut(&source, &cuts);
            let mut gone = 0;
            let mut pieces = Vec::new();
            for cut in &cuts {
                pieces.push((cut.start - gone, &source[cut.clone()]));
                gone += cut.len();
            }
            prop_assert_eq!(edit::insert(&after, &pieces), source);
        }

        #[test]
        fn well_formed_entries_come_back_in_both_dialects(
            entries in prop::collection::vec(("[a-z.]{1,9}", "[!$-~]{1,9}", "[!$-~]{1,9}"), 0..9)
        ) {
            let lines = entries.iter().map(|(host, login, password)| {
                format!("machine {host}.x\n  login ={login}\n  password ={password}")
            });
            let text = lines.collect::<Vec<_>>().join("\n");
            for dialect in [Dialect::Curl, Dialect::Go] {
                let read = dialect.read(text.as_bytes()).entries;
                let read: Vec<_> = read.iter().map(|entry| entry.machine.clone()).collect();
                let written = entries.iter().map(|entry| Machine::Host(format!("{}.x", entry.0)));
                prop_assert_eq!(read, written.collect::<Vec<_>>());
            }
        }
    }
}
