//! Takes entries out of a file and leaves every other byte where it was.
//!
//! Comments, blank lines, macros, order and line ends stay; a line that becomes empty goes. It
//! deliberately writes no netrc of its own: what it removes can only be put back as it was.

use std::ops::Range;

use crate::core::{
    netrc::{Entry, Netrc, TokenKind, go},
    secret::same,
};

/// Returns what has to go so that the entries go: spans in ascending order, apart from each other.
///
/// `entries` belong to `netrc`, curl's reading of `source`.
pub fn cuts<'a>(
    source: &[u8],
    netrc: &Netrc,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Vec<Range<usize>> {
    let tokens = |entry: &Entry| netrc.tokens.get(entry.tokens.clone()).unwrap_or_default();
    let mut spans: Vec<Range<usize>> = entries
        .into_iter()
        .flat_map(tokens)
        .filter(|token| matches!(token.kind, TokenKind::Keyword | TokenKind::Value))
        .map(|token| token.span.start..token.span.end + blanks_after(source, token.span.end))
        .collect();
    spans.sort_by_key(|span| span.start);
    spans.dedup_by(|next, last| {
        let joined = next.start <= last.end;
        if joined {
            last.end = last.end.max(next.end);
        }
        joined
    });
    spans.into_iter().map(|span| whole_lines(source, span)).collect()
}

/// Returns the file without the entries.
pub fn without<'a>(
    source: &[u8],
    netrc: &Netrc,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Vec<u8> {
    cut(source, &cuts(source, netrc, entries))
}

/// Returns the file without the spans of [`cuts`].
pub fn cut(source: &[u8], cuts: &[Range<usize>]) -> Vec<u8> {
    let starts = cuts.iter().map(|cut| cut.start).chain([source.len()]);
    let ends = [0].into_iter().chain(cuts.iter().map(|cut| cut.end));
    let kept = ends.zip(starts).map(|(from, to)| source.get(from..to).unwrap_or_default());
    kept.collect::<Vec<_>>().concat()
}

/// Returns the file with pieces put in, each at its offset in `source`, in ascending order.
pub fn insert(source: &[u8], pieces: &[(usize, &[u8])]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(source.len());
    let mut done = 0;
    for (at, piece) in pieces {
        whole.extend_from_slice(source.get(done..*at).unwrap_or_default());
        whole.extend_from_slice(piece);
        done = *at;
    }
    whole.extend_from_slice(source.get(done..).unwrap_or_default());
    whole
}

/// Returns whether curl and Go read the same from `after` as from `before`, but for what was cut.
pub fn keeps_the_rest(before: &[u8], after: &[u8], cuts: &[Range<usize>]) -> bool {
    let readings =
        [(Netrc::parse(before), Netrc::parse(after)), (go::read(before), go::read(after))];
    readings.iter().all(|(old, new)| {
        let stays = |entry: &&Entry| !touches(old, entry, cuts);
        let kept: Vec<&Entry> = old.entries.iter().filter(stays).collect();
        kept.len() == new.entries.len()
            && kept.into_iter().zip(&new.entries).all(|(old, new)| says_the_same(old, new))
            && old.error.map(|error| error.what) == new.error.map(|error| error.what)
    })
}

fn touches(netrc: &Netrc, entry: &Entry, cuts: &[Range<usize>]) -> bool {
    let tokens = netrc.tokens.get(entry.tokens.clone()).unwrap_or_default();
    tokens.iter().filter(|token| token.kind == TokenKind::Value).any(|token| {
        cuts.iter().any(|cut| cut.start < token.span.end && token.span.start < cut.end)
    })
}

fn says_the_same(left: &Entry, right: &Entry) -> bool {
    let login = |entry: &Entry| entry.login.as_ref().map(|login| login.text.clone());
    let same_password = match (&left.password, &right.password) {
        (None, None) => true,
        (Some(left), Some(right)) => match (&left.text, &right.text) {
            (None, None) => true,
            (Some(left), Some(right)) => same(left, right),
            (None, Some(_)) | (Some(_), None) => false,
        },
        (None, Some(_)) | (Some(_), None) => false,
    };
    left.machine == right.machine && login(left) == login(right) && same_password
}

/// Takes the whole line if nothing else is on it, and the blanks before the cut if it ends the line.
fn whole_lines(source: &[u8], span: Range<usize>) -> Range<usize> {
    let before = source.get(..span.start).unwrap_or_default();
    let start = span.start - before.iter().rev().take_while(|byte| is_blank(**byte)).count();
    let begins = start == 0 || source.get(start - 1) == Some(&b'\n');
    let rest = source.get(span.end..).unwrap_or_default();
    let returns = rest.iter().take_while(|byte| **byte == b'\r').count();
    match (begins, rest.get(returns)) {
        (true, None) => start..span.end + returns,
        (true, Some(b'\n')) => start..span.end + returns + 1,
        (false, None | Some(b'\n')) => start..span.end,
        (_, Some(_)) => span,
    }
}

fn blanks_after(source: &[u8], at: usize) -> usize {
    source.get(at..).unwrap_or_default().iter().take_while(|byte| is_blank(**byte)).count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
