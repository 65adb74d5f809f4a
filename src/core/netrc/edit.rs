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
    join(&mut spans);
    let mut cuts: Vec<_> = spans.into_iter().map(|span| whole_lines(source, span)).collect();
    join(&mut cuts);
    cuts
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

/// Makes one span of those that touch.
fn join(spans: &mut Vec<Range<usize>>) {
    spans.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
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

#[cfg(test)]
mod tests {
    use super::{cut, cuts, insert, keeps_the_rest};
    use crate::core::netrc::Netrc;

    /// Removes the entries that begin in these lines.
    fn removed(text: &str, lines: &[usize]) -> String {
        let netrc = Netrc::parse(text.as_bytes());
        let entries = netrc.entries.iter().filter(|entry| lines.contains(&entry.line));
        let cuts = cuts(text.as_bytes(), &netrc, entries);
        String::from_utf8(cut(text.as_bytes(), &cuts)).unwrap()
    }

    #[test]
    fn only_the_entry_goes() {
        for (text, line, expected) in [
            ("machine a login x password p\n", 1, ""),
            ("machine a login x password p", 1, ""),
            ("# c\nmachine a login x password p\n\n# d\n", 2, "# c\n\n# d\n"),
            ("machine a\n\tlogin x\n\n\t# c\n\tpassword p\nrest\n", 1, "\n\t# c\nrest\n"),
            ("machine a login x password p # c\n", 1, "# c\n"),
            ("machine a\r\n login x\r\n password p\r\nrest\r\n", 1, "rest\r\n"),
            ("x machine a login x password p\n", 1, "x\n"),
            ("machine a login x password p account z\nrest", 1, "rest"),
            ("machine a login x password \"p\nq\"\nrest", 1, "rest"),
            ("machine a login x password p\nmacdef m\n b\n\n", 1, "macdef m\n b\n\n"),
        ] {
            assert_eq!(removed(text, &[line]), expected, "{text:?}");
        }
    }

    #[test]
    fn entries_that_share_a_line_or_follow_each_other_go_alone() {
        let text =
            "machine a login x password p machine b login y password q\nmachine c password r\n";
        let netrc = Netrc::parse(text.as_bytes());
        for (index, expected) in [
            (0, "machine b login y password q\nmachine c password r\n"),
            (1, "machine a login x password p\nmachine c password r\n"),
            (2, "machine a login x password p machine b login y password q\n"),
        ] {
            let cuts = cuts(text.as_bytes(), &netrc, netrc.entries.get(index));
            let after = cut(text.as_bytes(), &cuts);
            assert_eq!(String::from_utf8(after.clone()).unwrap(), expected);
            assert!(keeps_the_rest(text.as_bytes(), &after, &cuts));
        }
        assert_eq!(removed(text, &[1, 2]), "");
    }

    #[test]
    fn a_change_for_another_entry_is_noticed() {
        let text = b"machine a login x password p\nmachine b login y password q\n";
        let netrc = Netrc::parse(text);
        let cuts = cuts(text, &netrc, netrc.entries.first());
        assert!(!keeps_the_rest(text, b"machine b login y password other\n", &cuts));
        assert!(!keeps_the_rest(text, b"", &cuts));
        assert!(!keeps_the_rest(text, b"machine b login y password q\n\"", &cuts));
    }

    #[test]
    fn what_was_cut_can_be_put_back() {
        let text = b"1 machine a login x password p\n2\n machine b\nlogin y\nrest";
        let netrc = Netrc::parse(text);
        let cuts = cuts(text, &netrc, &netrc.entries);
        let after = cut(text, &cuts);
        let mut gone = 0;
        let pieces: Vec<_> = cuts
            .iter()
            .map(|span| {
                let at = span.start - gone;
                gone += span.len();
                (at, &text[span.clone()])
            })
            .collect();
        assert_eq!(insert(&after, &pieces), text);
    }
}
