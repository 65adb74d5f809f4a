//! The grammar of git's configuration files: what stands where.

use crate::core::setup::gitconfig::{Entry, Error};

/// Parses a file (the grammar of git-config(1), "Syntax").
pub fn parse(text: &[u8]) -> Result<Vec<Entry>, Error> {
    let bytes = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut scan = Scan { text, at: text.len() - bytes.len() };
    let mut entries = Vec::new();
    let mut section: Option<(String, usize)> = None;
    let mut line_start = Some(scan.at);
    while let Some(byte) = scan.peek() {
        match byte {
            b'\n' => {
                scan.at += 1;
                line_start = Some(scan.at);
            }
            b'#' | b';' => scan.skip(|byte| byte != b'\n'),
            b'[' => {
                let header = scan.at;
                section = Some((scan.header().ok_or_else(|| wrong(text, header))?, header));
                line_start = None;
            }
            byte if byte.is_ascii_whitespace() || byte == 0x0b => scan.at += 1,
            _ => {
                let start = scan.at;
                let (name, header) = section.clone().ok_or_else(|| wrong(text, start))?;
                let (key, value) = scan.entry().ok_or_else(|| wrong(text, start))?;
                let end = scan.at;
                let line = line_start.map(|start| (start, end));
                entries.push(Entry { section: name, key, value, header, line, end });
                line_start = Some(end);
            }
        }
    }
    Ok(entries)
}

/// Says which line does not follow the grammar.
fn wrong(text: &[u8], at: usize) -> Error {
    let before = text.get(..at).unwrap_or_default();
    Error::Grammar(before.split(|byte| *byte == b'\n').count())
}

/// A position in a file.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// Returns the next byte; CR LF counts as LF, as in git's `get_next_char`.
    fn peek(&self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        let is_line_end = byte == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
        Some(if is_line_end { b' ' } else { byte })
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    /// Reads `[section]`, `[section.sub]` or `[section "sub"]`.
    fn header(&mut self) -> Option<String> {
        self.take();
        let mut name = String::new();
        loop {
            match self.take()? {
                b']' => return Some(name),
                byte if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' => {
                    name.push(char::from(byte.to_ascii_lowercase()));
                }
                b' ' | b'\t' => break,
                _ => return None,
            }
        }
        self.skip(|byte| byte == b' ' || byte == b'\t');
        if self.take()? != b'"' {
            return None;
        }
        let mut sub = Vec::new();
        loop {
            match self.take()? {
                b'"' => break,
                b'\n' => return None,
                b'\\' => sub.push(self.take().filter(|byte| *byte != b'\n')?),
                byte => sub.push(byte),
            }
        }
        (self.take()? == b']').then(|| format!("{name}.{}", String::from_utf8_lossy(&sub)))
    }

    /// Reads `key`, or `key = value`, with its newline.
    fn entry(&mut self) -> Option<(String, Option<Vec<u8>>)> {
        let mut key = String::new();
        while let Some(byte) =
            self.peek().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        {
            key.push(char::from(byte.to_ascii_lowercase()));
            self.at += 1;
        }
        if !key.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        self.skip(|byte| byte == b' ' || byte == b'\t');
        match self.take() {
            None | Some(b'\n') => Some((key, None)),
            Some(b'=') => Some((key, Some(self.value()?))),
            Some(_) => None,
        }
    }

    /// Reads a value to the end of its line (git's `parse_value`).
    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value: Vec<u8> = Vec::new();
        let mut kept = 0;
        let (mut quoted, mut comment) = (false, false);
        loop {
            let Some(byte) = self.take().filter(|byte| *byte != b'\n') else {
                value.truncate(kept);
                return (!quoted).then_some(value);
            };
            if comment {
                continue;
            }
            match byte {
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c if !quoted => {
                    if !value.is_empty() {
                        value.push(byte);
                    }
                }
                b'#' | b';' if !quoted => comment = true,
                b'"' => {
                    quoted = !quoted;
                    kept = value.len();
                }
                b'\\' => {
                    self.escape(&mut value)?;
                    kept = value.len();
                }
                byte => {
                    value.push(byte);
                    kept = value.len();
                }
            }
        }
    }

    fn escape(&mut self, value: &mut Vec<u8>) -> Option<()> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            self.at += 1;
        }
        match self.take()? {
            b'\n' => {}
            b't' => value.push(b'\t'),
            b'b' => value.push(8),
            b'n' => value.push(b'\n'),
            byte @ (b'\\' | b'"') => value.push(byte),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, parse};

    #[test]
    fn values_are_read_as_git_reads_them() {
        let text = b"\xef\xbb\xbf[A \"x\\\"Y\"]\r\n\tkey = a \" b;\" c # no\r\n  two\\\n three\n";
        assert_eq!(parse(text), Err(Error::Grammar(3)));
        let entries =
            parse(b"[A \"x\\\"Y\"]\r\nKey = a \" b;\" c # no\r\n\tk2 = 1\\\r\n2\n[b.C]d").unwrap();
        let shown: Vec<_> = entries
            .iter()
            .map(|entry| {
                let value = entry.value.as_deref().map(String::from_utf8_lossy);
                format!("{}.{}={value:?}", entry.section, entry.key)
            })
            .collect();
        assert_eq!(shown, ["a.x\"Y.key=Some(\"a  b; c\")", "a.x\"Y.k2=Some(\"12\")", "b.c.d=None"]);
    }
}
