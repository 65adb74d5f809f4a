//! Lines of a file with their places, and words of a value with theirs.

use std::ops::Range;

/// A line of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    /// Where it begins.
    pub(super) at: usize,
    /// Its bytes as text, without its end; `None` if they are not UTF-8.
    pub(super) text: Option<&'a str>,
    /// The place behind its end.
    pub(super) end: usize,
}

impl Line<'_> {
    /// Returns the whole line, with its end.
    pub(super) fn whole(&self) -> Range<usize> {
        self.at..self.end
    }
}

/// Returns the lines; LF and CR LF end them.
pub(super) fn lines(source: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let start = if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut at = start;
    let rest = source.get(start..).unwrap_or_default();
    rest.split_inclusive(|byte| *byte == b'\n').enumerate().map(move |(index, bytes)| {
        let bare = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        let begin = at;
        at += bytes.len();
        Line { number: index + 1, at: begin, text: std::str::from_utf8(bare).ok(), end: at }
    })
}

/// Where lines begin, to turn an offset into a line.
pub(super) struct Starts(Vec<usize>);

impl Starts {
    pub(super) fn of(source: &[u8]) -> Self {
        let ends = source.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// Returns the line of an offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}

/// Returns the pieces of a text between separators, each with its place, without blanks around it.
pub(super) fn pieces(
    text: &str,
    is_separator: impl Fn(char) -> bool,
) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive(is_separator).map(move |with| {
        let start = at;
        at += with.len();
        // The separator at its end is one character, whichever it is.
        let piece = with.trim_end_matches([',', '|', ' ', '\t']);
        let blanks = piece.len() - piece.trim_start().len();
        (start + blanks, piece.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::{lines, pieces};

    #[test]
    fn lines_know_their_places() {
        let source = b"\xef\xbb\xbfa\r\n\xff\n\nlast";
        let told: Vec<_> = lines(source).map(|line| (line.number, line.at, line.text)).collect();
        let expected = [(1, 3, Some("a")), (2, 6, None), (3, 8, Some("")), (4, 9, Some("last"))];
        assert_eq!(told, expected);
        assert_eq!(lines(source).last().unwrap().whole(), 9..13);
    }

    #[test]
    fn pieces_know_their_places() {
        let told: Vec<_> = pieces("a, bc|direct", |c| matches!(c, ',' | '|')).collect();
        assert_eq!(told, [(0, "a"), (3, "bc"), (6, "direct")]);
    }
}
