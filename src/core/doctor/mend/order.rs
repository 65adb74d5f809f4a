//! The order of a netrc file's entries: what is found first is what a tool takes, so that an entry has no effect
//! behind another one for its host, or behind `default`.
//!
//! Entries hold passwords. To move one, neither is written anew: two stretches of the file change places, and all
//! that `--undo` has to know of them is where they are.

use std::ops::Range;

use secrecy::ExposeSecret as _;

use super::Error;
use crate::core::{
    netrc::{self, Entry, Netrc},
    setup::Edit,
};

/// Two stretches of a text, one behind the other, that change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Where the first begins.
    pub start: usize,
    /// Where the second does.
    pub middle: usize,
    /// Where it ends.
    pub end: usize,
}

impl Swap {
    /// Returns the text with the stretches in each other's place. `None`: it is too short.
    #[must_use]
    pub fn apply(&self, text: &[u8]) -> Option<Vec<u8>> {
        let Self { start, middle, end } = *self;
        let (first, second) = (text.get(start..middle)?, text.get(middle..end)?);
        Some([text.get(..start)?, second, first, text.get(end..)?].concat())
    }

    /// Returns what takes it back.
    #[must_use]
    pub fn back(&self) -> Option<Self> {
        let Self { start, middle, end } = *self;
        let middle = start.checked_add(end.checked_sub(middle)?)?;
        Some(Self { start, middle, end })
    }
}

/// Returns the edit that ends the last line, where it has no end: it may become another one.
pub(super) fn line_end(text: &[u8]) -> Vec<Edit> {
    if text.ends_with(b"\n") {
        return Vec::new();
    }
    let is_foreign = text.windows(2).any(|pair| pair == b"\r\n");
    vec![Edit::insert(text.len(), if is_foreign { "\r\n" } else { "\n" })]
}

/// Returns the swap that moves the entry of a line before the one of another line, so that for both dialects the
/// same entries are there as before, in another order.
pub fn swap(text: &[u8], line: usize, other: usize) -> Result<Swap, Error> {
    let readings = [netrc::curl::read(text), netrc::go::read(text)];
    let [curl, _] = &readings;
    let start = begin(curl, text, other)?.start;
    let moved = begin(curl, text, line)?;
    if moved.start <= start {
        return Err(Error::Gone);
    }
    // What stands between goes down as it is.
    let swap = Swap { start, middle: moved.start, end: moved.end };
    let after = swap.apply(text).ok_or(Error::Unsafe)?;
    let again = [netrc::curl::read(&after), netrc::go::read(&after)];
    let is_kept = readings.iter().zip(&again).all(|(before, after)| {
        let has = |entry: &Entry| after.entries.iter().any(|other| is_same(entry, other));
        before.entries.iter().all(has) && before.error.is_none() && after.error.is_none()
    });
    // go may find more: behind a line of `default` alone it reads nothing.
    let [curl_again, _] = &again;
    let is_whole = curl.entries.len() == curl_again.entries.len();
    if is_kept && is_whole { Ok(swap) } else { Err(Error::Unsafe) }
}

/// Returns the whole lines of the entry that begins on a line.
fn begin(netrc: &Netrc, text: &[u8], line: usize) -> Result<Range<usize>, Error> {
    let entry = netrc.entries.iter().find(|entry| entry.line == line).ok_or(Error::Gone)?;
    let tokens = netrc.tokens.get(entry.tokens.clone()).unwrap_or_default();
    let (first, last) = tokens.first().zip(tokens.last()).ok_or(Error::Gone)?;
    let before = text.get(..first.span.start).unwrap_or_default();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let behind = text.get(last.span.end..).unwrap_or_default();
    let rest = behind.iter().position(|byte| *byte == b'\n').ok_or(Error::Unsafe)?;
    let is_blank = |bytes: Option<&[u8]>| bytes.is_some_and(|it| it.trim_ascii().is_empty());
    // Another entry on the same line would go along.
    let is_alone = is_blank(text.get(start..first.span.start)) && is_blank(behind.get(..rest));
    if is_alone { Ok(start..last.span.end + rest + 1) } else { Err(Error::Unsafe) }
}

/// Whether two entries say the same.
pub(in crate::core::doctor) fn is_same(one: &Entry, other: &Entry) -> bool {
    let text = |entry: &Entry| entry.login.as_ref().map(|login| login.text.clone());
    one.machine == other.machine && text(one) == text(other) && is_same_secret(one, other)
}

/// Whether the passwords of two entries are one.
pub(in crate::core::doctor) fn is_same_secret(one: &Entry, other: &Entry) -> bool {
    match (&one.password, &other.password) {
        (None, None) => true,
        (Some(one), Some(other)) => match (&one.text, &other.text) {
            (Some(one), Some(other)) => one.expose_secret() == other.expose_secret(),
            (one, other) => one.is_none() && other.is_none(),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Swap, swap};

    #[test]
    fn an_entry_goes_before_another_and_back() {
        let text =
            "# mine\ndefault login x password y\n\nmachine a\n  login b\n  password c\n# end\n";
        let made = swap(text.as_bytes(), 4, 2).unwrap();
        let after = made.apply(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&after),
            "# mine\nmachine a\n  login b\n  password c\ndefault login x password y\n\n# end\n"
        );
        assert_eq!(made.back().unwrap().apply(&after).unwrap(), text.as_bytes());
    }

    #[test]
    fn what_does_not_stand_alone_stays() {
        const ONE: &str = "default login x password y";
        const OTHER: &str = "machine a login b password c";
        for (text, lines, error) in [
            (format!("{ONE} {OTHER}\n"), (1, 1), Error::Unsafe),
            (format!("{ONE}\n{OTHER}"), (2, 1), Error::Unsafe),
            (format!("{ONE}\n{OTHER} # mine\n"), (2, 1), Error::Unsafe),
            (format!("{OTHER}\n{ONE}\n"), (1, 2), Error::Gone),
            (format!("{ONE}\n"), (2, 1), Error::Gone),
            (String::new(), (2, 1), Error::Gone),
        ] {
            assert_eq!(swap(text.as_bytes(), lines.0, lines.1), Err(error), "{text}");
        }
        assert_eq!(Swap { start: 0, middle: 5, end: 3 }.back(), None);
    }
}
