//! The Go dialect: what cmd/go reads (cmd/go/internal/auth/netrc.go, unchanged from 1.13 to 1.27).
//!
//! Pairs of words, each on one line, at even places; nothing is quoted, escaped or a comment. It
//! deliberately gives no entry that Go does not use: one without login or password, and `default`.

use std::ops::Range;

use crate::core::{
    netrc::{Entry, Error, Found, Lines, Machine, Netrc, TokenKind, Value, token::Tokens},
    secret::SecretString,
};

/// Returns the credential that Go uses for a host: with `:port` if the URL has one (Go ≥ 1.20),
/// compared byte for byte. The first entry counts.
///
/// Entries for a path (`machine host/team`, Go ≥ 1.25) are for that path and not for the host.
pub fn lookup(source: &[u8], host: &str) -> Result<Option<Found>, Error> {
    let netrc = read(source);
    let entry = netrc.entries.iter().find(|entry| match &entry.machine {
        Machine::Host(machine) => prefix(machine) == host,
        Machine::Default | Machine::Nobody => false,
    });
    entry.map(|entry| entry.found(None)).transpose()
}

/// Returns the URL prefix that a machine stands for (`storeCredential` of Go ≥ 1.25).
pub fn prefix(machine: &str) -> &str {
    let prefix = machine.strip_prefix("https://").unwrap_or(machine);
    prefix.strip_suffix('/').unwrap_or(prefix)
}

/// Reads a file.
pub fn read(source: &[u8]) -> Netrc {
    let mut reader = Reader { source, lines: Lines::of(source), ..Reader::default() };
    let mut start = 0;
    for line in source.split(|byte| *byte == b'\n') {
        let span = start..start + line.len();
        start = span.end + 1;
        if reader.line(span) == Next::Stop {
            break;
        }
    }
    let rest = if start > source.len() { TokenKind::Space } else { TokenKind::Unread };
    Netrc { entries: reader.entries, tokens: reader.tokens.finish(rest, source.len()), error: None }
}

#[derive(PartialEq)]
enum Next {
    Line,
    Stop,
}

#[derive(Default)]
struct Reader<'a> {
    source: &'a [u8],
    lines: Lines,
    in_macro: bool,
    tokens: Tokens,
    entries: Vec<Entry>,
    open: Option<Entry>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: Range<usize>) -> Next {
        if self.in_macro {
            // Not so for a carriage return: with CRLF line ends a macro never ends.
            self.in_macro = !line.is_empty();
            self.tokens.push(TokenKind::Macro, line);
            return Next::Line;
        }
        let words = fields(self.source, line);
        let (pairs, odd) = words.as_chunks::<2>();
        for [key, value] in pairs {
            self.pair(key, value);
        }
        match odd {
            [last] => {
                self.tokens.push(TokenKind::Skipped, last.clone());
                if self.bytes(last) == b"default" { Next::Stop } else { Next::Line }
            }
            _ => Next::Line,
        }
    }

    fn pair(&mut self, key: &Range<usize>, value: &Range<usize>) {
        let word = self.bytes(key);
        let known = matches!(word, b"machine" | b"login" | b"password");
        let (name, argument) = if known {
            (TokenKind::Keyword, TokenKind::Value)
        } else {
            (TokenKind::Skipped, TokenKind::Skipped)
        };
        let said = self.bytes(value);
        let text = || String::from_utf8(said.to_vec()).ok();
        let span = value.clone();
        match word {
            b"machine" => {
                self.open = Some(Entry {
                    line: self.lines.line(key.start),
                    machine: text().map_or(Machine::Nobody, Machine::Host),
                    login: None,
                    password: None,
                    tokens: 0..0,
                });
            }
            b"login" => {
                let login = Some(Value { span, text: text() });
                self.open.iter_mut().for_each(|entry| entry.login.clone_from(&login));
            }
            b"password" => {
                let password = Some(Value { span, text: text().map(SecretString::from) });
                self.open.iter_mut().for_each(|entry| entry.password.clone_from(&password));
            }
            b"macdef" => self.in_macro = true,
            _ => {}
        }
        self.tokens.push(name, key.clone());
        if let Some(entry) = self.open.as_mut().filter(|_| word == b"machine") {
            entry.tokens.start = self.tokens.len() - 1;
        }
        self.tokens.push(argument, value.clone());
        if let Some(mut entry) =
            self.open.take_if(|entry| entry.login.is_some() && entry.password.is_some())
        {
            entry.tokens.end = self.tokens.len();
            self.entries.push(entry);
        }
    }

    fn bytes(&self, span: &Range<usize>) -> &'a [u8] {
        self.source.get(span.clone()).unwrap_or_default()
    }
}

/// Splits a line as Go's `strings.Fields` does: at Unicode white space; a byte that is not UTF-8
/// belongs to a word.
fn fields(source: &[u8], line: Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut word: Option<Range<usize>> = None;
    let mut at = line.start;
    for chunk in source.get(line).unwrap_or_default().utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_space(c) {
                words.extend(word.take());
            } else {
                word.get_or_insert(at..at).end = at + c.len_utf8();
            }
            at += c.len_utf8();
        }
        if !chunk.invalid().is_empty() {
            word.get_or_insert(at..at).end = at + chunk.invalid().len();
            at += chunk.invalid().len();
        }
    }
    words.extend(word);
    words
}

/// Go's `unicode.IsSpace`, the property `White_Space`, which is Rust's too.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}
