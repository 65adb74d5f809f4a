//! The curl dialect: what libcurl 8.22 reads (lib/netrc.c), and so git.
//!
//! Keywords and hosts in any case, quotes with `\n`, `\r` and `\t`, unknown words skipped,
//! `default` where it stands, no ports. It deliberately does not follow 7.88, which reads line by
//! line; `tests/it/netrc.rs` lists where that differs.

use std::ops::Range;

use crate::core::{
    netrc::{
        Entry, Error, Fault, Found, Lines, Machine, Netrc, TokenKind, Value, token::Tokens,
        view::View,
    },
    secret::SecretString,
};

/// `MAX_NETRC_TOKEN`: a value has to be shorter.
const MAX_VALUE: usize = 4096;

/// Returns the credential that curl uses for a host (without port and brackets), and for a login if
/// the URL has one.
///
/// The first entry counts that has the login, or a password and no login at all; without a login in
/// the question, the first one that has a login or a password. An error that stands behind it does
/// not matter.
pub fn lookup(source: &[u8], host: &str, login: Option<&str>) -> Result<Option<Found>, Error> {
    find(&read(source), host, login)
}

/// Returns what [`lookup`] does, from a reading.
pub fn find(netrc: &Netrc, host: &str, login: Option<&str>) -> Result<Option<Found>, Error> {
    let login = login.filter(|login| !login.is_empty());
    match netrc.entries.iter().find(|entry| answers(entry, host, login)) {
        Some(entry) => entry.found(login).map(Some),
        None => netrc.error.map_or(Ok(None), Err),
    }
}

/// Reads a file.
pub fn read(source: &[u8]) -> Netrc {
    let lines = Lines::of(source);
    let unread = |error| Netrc {
        entries: Vec::new(),
        tokens: Tokens::default().finish(TokenKind::Unread, source.len()),
        error: Some(error),
    };
    match View::load(source, &lines) {
        Ok(view) => Reader::new(view, source, lines).read(),
        Err(error) => unread(error),
    }
}

fn answers(entry: &Entry, host: &str, login: Option<&str>) -> bool {
    let is_for = match &entry.machine {
        Machine::Default => true,
        Machine::Host(machine) => machine.eq_ignore_ascii_case(host),
        Machine::Nobody => false,
    };
    is_for
        && match (&entry.login, &entry.password, login) {
            (Some(own), password, Some(login)) => {
                own.text.as_deref() == Some(login) && password.is_some()
            }
            (Some(_), _, None) => true,
            (None, password, _) => password.is_some(),
        }
}

/// The words that mean something where a keyword may stand.
#[derive(Clone, Copy)]
enum Keyword {
    Account,
    Default,
    Login,
    Macdef,
    Machine,
    Password,
}

/// What stands at the reader's place.
enum Word {
    End,
    /// A span of the view, quoted or not.
    Is(Range<usize>),
}

struct Reader<'a> {
    view: View<'a>,
    source: &'a [u8],
    lines: Lines,
    position: usize,
    tokens: Tokens,
    entries: Vec<Entry>,
    open: Option<Entry>,
}

impl<'a> Reader<'a> {
    fn new(view: View<'a>, source: &'a [u8], lines: Lines) -> Self {
        let (tokens, entries) = (Tokens::default(), Vec::new());
        Self { view, source, lines, position: 0, tokens, entries, open: None }
    }

    fn read(mut self) -> Netrc {
        let error = loop {
            match self.statement() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        // An entry that an error interrupts does not count: curl looks at it when the next begins.
        let rest = if error.is_none() { TokenKind::Space } else { TokenKind::Unread };
        Netrc { entries: self.entries, tokens: self.tokens.finish(rest, self.source.len()), error }
    }

    /// Reads a keyword with its value, or skips a word. Returns whether there was one.
    fn statement(&mut self) -> Result<bool, Error> {
        let Word::Is(word) = self.word()? else {
            self.close();
            return Ok(false);
        };
        let Some(keyword) = self.keyword(&word) else {
            self.tokens.push(TokenKind::Skipped, self.view.span(word));
            return Ok(true);
        };
        let span = self.view.span(word);
        match keyword {
            Keyword::Default => self.begin(span, Machine::Default),
            Keyword::Macdef => {
                self.close();
                self.skip_macro();
                let end = self.view.offset(self.position);
                self.tokens.push(TokenKind::Macro, span.start..end);
            }
            Keyword::Machine => {
                self.begin(span, Machine::Nobody);
                let host = self.value()?.and_then(|value| String::from_utf8(value.bytes).ok());
                if let (Some(entry), Some(host)) = (&mut self.open, host) {
                    entry.machine = Machine::Host(host);
                }
            }
            Keyword::Account => {
                self.tokens.push(TokenKind::Keyword, span);
                self.value()?;
            }
            Keyword::Login => {
                self.tokens.push(TokenKind::Keyword, span);
                let value = self.value()?;
                if let (Some(entry), Some(Raw { span, bytes })) = (&mut self.open, value) {
                    entry.login = Some(Value { span, text: String::from_utf8(bytes).ok() });
                }
            }
            Keyword::Password => {
                self.tokens.push(TokenKind::Keyword, span);
                let value = self.value()?;
                if let (Some(entry), Some(Raw { span, bytes })) = (&mut self.open, value) {
                    let text = String::from_utf8(bytes).ok().map(SecretString::from);
                    entry.password = Some(Value { span, text });
                }
            }
        }
        if let Some(entry) = &mut self.open {
            entry.tokens.end = self.tokens.len();
        }
        Ok(true)
    }

    fn begin(&mut self, span: Range<usize>, machine: Machine) {
        self.close();
        let line = self.lines.line(span.start);
        self.tokens.push(TokenKind::Keyword, span);
        let tokens = self.tokens.len() - 1..self.tokens.len();
        self.open = Some(Entry { line, machine, login: None, password: None, tokens });
    }

    fn close(&mut self) {
        self.entries.extend(self.open.take());
    }

    /// Takes the value behind a keyword: whatever word comes next, keyword or not.
    fn value(&mut self) -> Result<Option<Raw>, Error> {
        let before = self.position;
        let Word::Is(word) = self.literal()? else { return Ok(None) };
        let fault =
            Error { line: self.lines.line(self.view.offset(word.start)), what: Fault::Value };
        let mut bytes = Vec::with_capacity(word.len());
        self.resolve(&word, |byte| bytes.push(byte));
        if bytes.len() >= MAX_VALUE {
            self.position = before;
            return Err(fault);
        }
        let span = self.view.span(word);
        self.tokens.push(TokenKind::Value, span.clone());
        Ok(Some(Raw { span, bytes }))
    }

    fn keyword(&self, word: &Range<usize>) -> Option<Keyword> {
        [
            ("account", Keyword::Account),
            ("default", Keyword::Default),
            ("login", Keyword::Login),
            ("macdef", Keyword::Macdef),
            ("machine", Keyword::Machine),
            ("password", Keyword::Password),
        ]
        .into_iter()
        .find(|(name, _)| {
            name.len() == word.len()
                && name.bytes().zip(word.clone()).all(|(byte, index)| {
                    self.view.byte(index).is_some_and(|seen| seen.eq_ignore_ascii_case(&byte))
                })
        })
        .map(|(_, keyword)| keyword)
    }

    /// Moves over the next word where a keyword may stand.
    fn word(&mut self) -> Result<Word, Error> {
        match self.literal()? {
            // `netrc_lexer_next` finds nothing before the blank, and gives up.
            Word::Is(word) if word.is_empty() => Err(self.fault(word.start, Fault::Return)),
            word => Ok(word),
        }
    }

    /// Moves over the next word. It is empty where a carriage return has a blank behind it.
    fn literal(&mut self) -> Result<Word, Error> {
        self.skip_space();
        let start = self.position;
        let Some(first) = self.view.byte(start) else { return Ok(Word::End) };
        let end = if first == b'"' { self.closing_quote(start)? } else { self.bare_end(start) };
        self.position = end;
        Ok(Word::Is(start..end))
    }

    fn bare_end(&self, start: usize) -> usize {
        let is_word = |byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        start
            + (start..).map_while(|index| self.view.byte(index)).take_while(|&b| is_word(b)).count()
    }

    /// Returns the index behind the quote that closes the one at `start`, on whatever line.
    fn closing_quote(&self, start: usize) -> Result<usize, Error> {
        let mut index = start + 1;
        let mut length = 0;
        loop {
            match self.view.byte(index) {
                None => return Err(self.fault(start, Fault::Quote)),
                Some(b'"') => return Ok(index + 1),
                Some(b'\\') if self.view.byte(index + 1).is_some() => index += 2,
                Some(_) => index += 1,
            }
            length += 1;
            if length >= MAX_VALUE {
                return Err(self.fault(start, Fault::Value));
            }
        }
    }

    /// Gives the bytes of a word without its quotes and escapes.
    fn resolve(&self, word: &Range<usize>, mut give: impl FnMut(u8)) {
        let bytes = &mut word.clone().filter_map(|index| self.view.byte(index));
        if self.view.byte(word.start) != Some(b'"') || word.is_empty() {
            return bytes.for_each(give);
        }
        bytes.next();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => return,
                b'\\' => match bytes.next() {
                    Some(b'n') => give(b'\n'),
                    Some(b'r') => give(b'\r'),
                    Some(b't') => give(b'\t'),
                    Some(other) => give(other),
                    None => return,
                },
                byte => give(byte),
            }
        }
    }

    fn skip_space(&mut self) {
        loop {
            self.skip(|byte| matches!(byte, b' ' | b'\t'));
            self.skip(|byte| byte == b'\r');
            if self.view.byte(self.position) != Some(b'\n') {
                return;
            }
            self.position += 1;
        }
    }

    /// Goes to the line end that ends an empty line, or to the end.
    fn skip_macro(&mut self) {
        loop {
            self.skip(|byte| byte != b'\n');
            if self.view.byte(self.position).is_none() {
                return;
            }
            self.position += 1;
            self.skip(|byte| byte == b'\r');
            if self.view.byte(self.position) == Some(b'\n') {
                return;
            }
        }
    }

    fn skip(&mut self, is: impl Fn(u8) -> bool) {
        while self.view.byte(self.position).is_some_and(&is) {
            self.position += 1;
        }
    }

    fn fault(&self, index: usize, what: Fault) -> Error {
        Error { line: self.lines.line(self.view.offset(index)), what }
    }
}

/// A value before it is known what it is. Never printed.
struct Raw {
    span: Range<usize>,
    bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::{lookup, read};
    use crate::core::{
        netrc::{Error, Fault, Match, TokenKind},
        secret::ExposeSecret,
    };

    /// `login:password@line`, empty for nothing.
    fn sent(text: &str, login: Option<&str>) -> Result<String, Error> {
        let found = lookup(text.as_bytes(), "h", login)?;
        Ok(found.map_or_else(String::new, |found| {
            let password = found.password.as_ref().map(ExposeSecret::expose_secret);
            let by = if found.by == Match::Default { " by default" } else { "" };
            format!(
                "{}:{}@{}{by}",
                found.login.as_deref().unwrap_or("?"),
                password.unwrap_or("?"),
                found.line
            )
        }))
    }

    #[test]
    fn the_first_entry_with_the_login_counts() {
        let text = "machine h login a password 1\nmachine h login b password 2\nmachine h login b password 3";
        for (login, expected) in
            [(None, "a:1@1"), (Some(""), "a:1@1"), (Some("b"), "b:2@2"), (Some("c"), "")]
        {
            assert_eq!(sent(text, login).unwrap(), expected);
        }
    }

    #[test]
    fn a_password_without_login_is_for_every_login() {
        assert_eq!(sent("machine h password p", Some("c")).unwrap(), "c:p@1");
        assert_eq!(sent("machine h password p", None).unwrap(), "?:p@1");
    }

    #[test]
    fn a_login_without_password_counts_only_when_none_is_asked_for() {
        assert_eq!(sent("machine h login a\nmachine h login b password p", None).unwrap(), "a:?@1");
        assert_eq!(sent("machine h login a", Some("a")).unwrap(), "");
    }

    #[test]
    fn default_counts_where_it_stands() {
        let text = "\ndefault login a password p\nmachine h login b password q";
        assert_eq!(sent(text, None).unwrap(), "a:p@2 by default");
        assert_eq!(sent(text, Some("b")).unwrap(), "b:q@3");
    }

    #[test]
    fn quotes_escapes_and_lines() {
        for (value, password) in [
            (r#""a b""#, "a b"),
            (r#""a\"b\\c\nd\te\rf\g""#, "a\"b\\c\nd\te\rfg"),
            ("\"a\n  b\"", "a\nb"),
            ("\"a\n#c\nb\"", "a\nb"),
            ("#a", "#a"),
            ("a\"b", "a\"b"),
            ("a\\b", "a\\b"),
            ("\n\n \tmachine", "machine"),
        ] {
            let text = format!("machine h login a password {value}\n");
            assert_eq!(sent(&text, None).unwrap(), format!("a:{password}@1"), "{value:?}");
        }
    }

    #[test]
    fn an_error_counts_when_it_is_reached() {
        let quote = |line| Err(Error { line, what: Fault::Quote });
        assert_eq!(sent("machine h login a password \"p", None), quote(1));
        assert_eq!(sent("\nx \"\nmachine h login a password p", None), quote(2));
        assert_eq!(sent("machine h login a password p\nmachine i \"", None).unwrap(), "a:p@1");
        assert_eq!(
            sent("machine i\r \nmachine h login a password p", None),
            Err(Error { line: 1, what: Fault::Return })
        );
    }

    #[test]
    fn the_tokens_name_every_byte() {
        use TokenKind::{Keyword, Macro, Skipped, Space, Value};
        let text = b" # c\nmachine h x login \"a\" \nmacdef m\n b\n\naccount z";
        let tokens = read(text).tokens;
        let kinds: Vec<_> = tokens.iter().map(|token| token.kind).collect();
        let entry = [Space, Keyword, Space, Value, Space, Skipped, Space, Keyword, Space, Value];
        let rest = [Space, Macro, Space, Keyword, Space, Value];
        assert_eq!(kinds, [&entry[..], &rest[..]].concat());
    }
}
