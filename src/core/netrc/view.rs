//! A file as curl loads it: comment lines gone, leading blanks gone, lines joined at a NUL.
//!
//! The view holds offsets only, so that every byte keeps its place and no secret is copied. It
//! deliberately mirrors `file2memory` and `Curl_get_line` with their limits, `fgets` pieces and all.

use std::ops::Range;

use crate::core::netrc::{Error, Fault, Lines, MAX_FILE};

/// `MAX_NETRC_LINE`: a line with its end has to be shorter.
const MAX_LINE: usize = 16 * 1024;

/// What one `fgets` into a buffer of 128 bytes takes.
const PIECE: usize = 127;

/// The bytes that curl sees.
pub(super) struct View<'a> {
    source: &'a [u8],
    /// An offset for each byte; the length of the file is the line end that curl appends.
    at: Vec<usize>,
}

impl<'a> View<'a> {
    /// Loads a file.
    pub(super) fn load(source: &'a [u8], lines: &Lines) -> Result<Self, Error> {
        let mut view = Self { source, at: Vec::with_capacity(source.len() + 1) };
        let mut next = 0;
        loop {
            let start = next;
            let line = view.line(&mut next);
            let fault = |what| Error { line: lines.line(start), what };
            if line.len() >= MAX_LINE {
                return Err(fault(Fault::Line));
            }
            let blanks = line.iter().take_while(|at| view.is_blank(**at)).count();
            let line = line.get(blanks..).unwrap_or_default();
            if line.first().and_then(|at| source.get(*at)) != Some(&b'#') {
                view.at.extend(line);
            }
            if view.at.len() >= MAX_FILE {
                return Err(fault(Fault::File));
            }
            if next > source.len() {
                return Ok(view);
            }
        }
    }

    /// Returns a byte, or `None` behind the end.
    pub(super) fn byte(&self, index: usize) -> Option<u8> {
        let at = self.at.get(index)?;
        Some(self.source.get(*at).copied().unwrap_or(b'\n'))
    }

    /// Returns where a byte stands in the file; behind the end it is the file's length.
    pub(super) fn offset(&self, index: usize) -> usize {
        self.at.get(index).copied().unwrap_or(self.source.len())
    }

    /// Returns the span in the file of some bytes that are not empty.
    pub(super) fn span(&self, range: Range<usize>) -> Range<usize> {
        let start = self.offset(range.start);
        let end = if range.is_empty() { start } else { self.offset(range.end - 1) + 1 };
        start..end.min(self.source.len())
    }

    /// Takes the next line. At the end of the file, `next` goes past it.
    fn line(&self, next: &mut usize) -> Vec<usize> {
        let mut line: Vec<usize> = Vec::new();
        loop {
            let rest = self.source.get(*next..).unwrap_or_default();
            let newline = rest.iter().take(PIECE).position(|byte| *byte == b'\n');
            let piece = rest.len().min(PIECE);
            let length = newline.map_or(piece, |at| at + 1);
            let seen = rest.iter().take(length).take_while(|byte| **byte != 0).count();
            line.extend(*next..*next + seen);
            *next += length;
            if line.last().and_then(|at| self.source.get(*at)) == Some(&b'\n') {
                return line;
            }
            if newline.is_none() && length < PIECE {
                *next = self.source.len() + 1;
                line.push(self.source.len());
                return line;
            }
            if line.len() >= MAX_LINE {
                return line;
            }
        }
    }

    fn is_blank(&self, at: usize) -> bool {
        matches!(self.source.get(at), Some(b' ' | b'\t'))
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, View};
    use crate::core::netrc::{Error, Fault};

    fn seen(source: &[u8]) -> Vec<u8> {
        let view = View::load(source, &Lines::of(source)).map_err(|error| error.what).unwrap();
        (0..).map_while(|index| view.byte(index)).collect()
    }

    #[test]
    fn comment_lines_and_leading_blanks_are_not_seen() {
        assert_eq!(seen(b"a\n \t# x\n \t b # c\n"), b"a\nb # c\n\n");
        assert_eq!(seen(b""), b"\n");
        assert_eq!(seen(b"a"), b"a\n");
        assert_eq!(seen(b"#"), b"");
    }

    #[test]
    fn a_nul_hides_the_rest_of_its_line_and_joins_the_next() {
        assert_eq!(seen(b"a\0b\nc\nd"), b"ac\nd\n");
        let long = [&[b'a'; 120][..], b"\0", &[b'b'; 6], b"c\n"].concat();
        assert_eq!(seen(&long), [&[b'a'; 120][..], b"c\n\n"].concat());
    }

    #[test]
    fn limits_are_those_of_curl() {
        let line = |length: usize| [vec![b'a'; length], b"\n".to_vec()].concat();
        assert_eq!(seen(&line(16_382)).len(), 16_384);
        let long = [b"x\n".to_vec(), line(16_383)].concat();
        assert_eq!(
            View::load(&long, &Lines::of(&long)).err(),
            Some(Error { line: 2, what: Fault::Line })
        );
        let large = line(999).repeat(132);
        let error = View::load(&large, &Lines::of(&large)).err();
        assert_eq!(error, Some(Error { line: 132, what: Fault::File }));
    }
}
