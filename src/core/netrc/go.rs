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
    find(&read(source), host)
}

/// Returns what [`lookup`] does, from a reading.
pub fn find(netrc: &Netrc, host: &str) -> Result<Option<Found>, Error> {
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

#[cfg(test)]
mod tests {
    use super::{fields, lookup};
    use crate::core::{
        netrc::{Error, Fault},
        secret::ExposeSecret,
    };

    fn sent(text: &str, host: &str) -> Option<(String, String, usize)> {
        let found = lookup(text.as_bytes(), host).unwrap()?;
        Some((found.login?, found.password?.expose_secret().to_owned(), found.line))
    }

    #[test]
    fn pairs_stand_on_one_line_and_entries_on_several() {
        let text = "x\nmachine h\nlogin a\n\npassword p\nmachine i login b password\nq\n";
        assert_eq!(sent(text, "h"), Some(("a".into(), "p".into(), 2)));
        assert_eq!(sent(text, "i"), None);
    }

    #[test]
    fn the_port_belongs_to_the_host() {
        let text = "machine h:8443 login a password p";
        assert_eq!(sent(text, "h"), None);
        assert_eq!(sent(text, "h:8443"), Some(("a".into(), "p".into(), 1)));
    }

    #[test]
    fn a_comment_is_no_comment() {
        assert!(sent("# don't machine h login a password p", "h").is_some());
        assert!(sent("# machine h login a password p", "h").is_none());
    }

    #[test]
    fn a_lone_default_ends_the_file() {
        assert!(sent("default\nmachine h login a password p", "h").is_none());
        assert!(sent("x y default\nmachine h login a password p", "h").is_none());
        assert!(sent("default x y\nmachine h login a password p", "h").is_some());
    }

    #[test]
    fn a_macro_ends_at_an_empty_line_and_not_at_one_with_a_return() {
        assert!(sent("macdef m\nx\n\nmachine h login a password p", "h").is_some());
        assert!(sent("macdef m\r\nx\r\n\r\nmachine h login a password p", "h").is_none());
    }

    #[test]
    fn a_password_that_is_not_text_is_an_error_with_its_line() {
        let error = lookup(b"\nmachine h login a password \xff", "h").unwrap_err();
        assert_eq!(error, Error { line: 2, what: Fault::NotText });
    }

    #[test]
    fn words_end_at_unicode_white_space() {
        let line = "a\u{a0}b\u{85}c\u{3000}d\u{200b}e\u{b}f";
        let words = fields(line.as_bytes(), 0..line.len());
        let words: Vec<_> = words.into_iter().map(|span| line.get(span).unwrap()).collect();
        assert_eq!(words, ["a", "b", "c", "d\u{200b}e", "f"]);
        assert_eq!(fields(b"\xffa \xe4 b", 0..6), [0..2, 3..4, 5..6]);
    }
}
