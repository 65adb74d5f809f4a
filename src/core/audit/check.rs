//! Whether a log is whole, and if not, which line is wrong.

use thiserror::Error;

use crate::core::audit::{
    chain::{Digest, Shape, Tail, digest},
    line::Hex,
};

/// Checks a log, line by line, from its oldest file to its newest.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    end: Option<Tail>,
    /// How many files were begun before this one.
    file: usize,
    line: usize,
    records: u64,
    /// The first line that is none, and not yet explained by the next record.
    torn: Option<(usize, usize)>,
}

/// The end of a chain that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many records there are.
    pub records: u64,
    /// The number of the last one.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// Where a chain is not whole.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{what}")]
pub struct Broken {
    /// In which file, the first is 0.
    pub file: usize,
    /// In which line of it, the first is 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Chain {
    /// Goes on with the next file.
    pub fn next_file(&mut self) {
        self.file += 1;
        self.line = 0;
    }

    /// Checks a line, given without its line feed.
    pub fn check(&mut self, line: &[u8]) -> Result<(), Broken> {
        self.line += 1;
        let Some(Shape { seq, prev, hash, body }) = Shape::of(line) else {
            self.torn.get_or_insert((self.file, self.line));
            self.end.get_or_insert_default().take(line);
            return Ok(());
        };
        if digest(&prev, body) != hash {
            return Err(self.broken("this record was changed"));
        }
        let is_ours = |event: &[u8]| body.windows(event.len()).any(|window| window == event);
        let continues = is_ours(br#""event":"journal.continued""#);
        let may_heal = continues || is_ours(br#""event":"journal.recovered""#);
        match self.end {
            // The files before it have had their time.
            None if continues => {}
            None if seq == 1 && prev == Digest::default() => {}
            None => return Err(self.broken("records before this one are missing")),
            Some(end) if end.hash != prev || Some(seq) != end.seq.checked_add(1) => {
                return Err(self.broken("records before this one were changed or removed"));
            }
            Some(_) if self.torn.is_some() && !may_heal => {
                return Err(self.broken("this line is no record"));
            }
            Some(_) => {}
        }
        self.torn = None;
        self.records += 1;
        self.end = Some(Tail { seq, hash, ..Tail::default() });
        Ok(())
    }

    /// Ends it, and returns its head. `is_open`: the last line had no line feed.
    pub fn finish(mut self, is_open: bool) -> Result<Head, Broken> {
        if self.torn.is_some() || is_open {
            self.torn.get_or_insert((self.file, self.line));
            return Err(self.broken("this line is cut off, or no record"));
        }
        let Tail { seq, hash, .. } = self.end.unwrap_or_default();
        Ok(Head { records: self.records, seq, hash: Hex(&hash).to_string() })
    }

    /// Names the first line that is none, or else this one.
    fn broken(&self, what: &'static str) -> Broken {
        let (file, line) = self.torn.unwrap_or((self.file, self.line));
        let what = if self.torn.is_some() { "this line is no record" } else { what };
        Broken { file, line, what }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Broken, Chain};
    use crate::core::audit::{Line, Tail, WINDOW, tail};

    const WHEN: u64 = 1_795_635_450_123;

    fn log(records: u64) -> Vec<u8> {
        let mut log = Vec::new();
        for _ in 0..records {
            log.extend(Line::recovered(WHEN).seal(&tail(&log)).into_bytes());
        }
        log
    }

    fn verify(log: &[u8]) -> Result<u64, Broken> {
        let mut chain = Chain::default();
        let whole = log.strip_suffix(b"\n").unwrap_or(log);
        for line in whole.split(|byte| *byte == b'\n') {
            chain.check(line)?;
        }
        chain.finish(!log.ends_with(b"\n")).map(|head| head.seq)
    }

    #[test]
    fn a_chain_that_nobody_touched_is_whole() {
        assert_eq!(tail(b""), Tail::default());
        let log = log(12);
        assert_eq!(verify(&log), Ok(12));
        assert_eq!(tail(&log).seq, 12);
    }

    #[test]
    fn a_line_that_was_changed_removed_or_put_elsewhere_is_named() {
        let log = log(5);
        let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
        let named = |order: &[usize]| {
            let mixed: Vec<u8> = order.iter().flat_map(|at| lines[*at].to_vec()).collect();
            verify(&mixed).map_err(|broken| broken.line)
        };
        assert_eq!(named(&[0, 1, 2, 3, 4]), Ok(5));
        assert_eq!(named(&[0, 2, 3, 4]), Err(2));
        assert_eq!(named(&[0, 2, 1, 3, 4]), Err(2));
        assert_eq!(named(&[0, 1, 1, 2]), Err(3));
        assert_eq!(named(&[1, 2, 3, 4]), Err(1));
        // The end can be cut off unseen: that is what the head is for.
        assert_eq!(named(&[0, 1, 2]), Ok(3));
    }

    #[test]
    fn a_line_that_was_cut_off_is_part_of_the_chain() {
        for records in [0, 3] {
            let whole = log(records);
            let last = log(records + 1);
            for cut in whole.len() + 1..last.len() {
                let mut torn = last[..cut].to_vec();
                let end = tail(&torn);
                // Nothing but the line feed may be missing.
                assert_eq!((end.is_torn, end.is_open), (cut + 1 < last.len(), true), "{cut}");
                assert!(verify(&torn).is_err(), "{cut}");
                let number = usize::try_from(records).unwrap() + 1;
                torn.push(b'\n');
                torn.extend(Line::recovered(WHEN).seal(&end).into_bytes());
                assert_eq!(verify(&torn), Ok(records + 2), "{cut}");
                let at = whole.len();
                torn[at] ^= 1;
                let broken = verify(&torn).unwrap_err();
                assert_eq!(broken.line, number, "{broken:?}");
            }
        }
    }

    #[test]
    fn the_end_is_found_in_the_window() {
        let mut log = log(40);
        let from = log.len() - usize::try_from(WINDOW).unwrap();
        assert_eq!(tail(&log[from..]), tail(&log));
        // Twice cut off, one after the other.
        log.extend(b"{\"v\":1,\"se\n{\"v\"");
        let end = tail(&log);
        assert_eq!((end.seq, end.is_torn, end.is_open), (42, true, true));
        log.push(b'\n');
        log.extend(Line::recovered(WHEN).seal(&end).into_bytes());
        assert_eq!(verify(&log), Ok(43));
    }

    #[test]
    fn a_later_file_goes_on_where_the_older_ended() {
        let old = log(3);
        let mut new = Line::continued(WHEN).seal(&tail(&old)).into_bytes();
        new.extend(Line::recovered(WHEN).seal(&tail(&new)).into_bytes());
        let both = |old: &[u8], new: &[u8]| {
            let mut chain = Chain::default();
            for (number, file) in [old, new].into_iter().enumerate() {
                if number > 0 {
                    chain.next_file();
                }
                for line in file.split_inclusive(|byte| *byte == b'\n') {
                    chain
                        .check(line.strip_suffix(b"\n").unwrap())
                        .map_err(|it| (it.file, it.line))?;
                }
            }
            chain.finish(false).map(|head| head.records).map_err(|it| (it.file, it.line))
        };
        assert_eq!(both(&old, &new), Ok(5));
        assert_eq!(both(b"", &new), Ok(2), "the older one has had its time");
        let cut = old.len() - old.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().len();
        assert_eq!(both(&old[..cut], &new), Err((1, 1)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let end = tail(&bytes);
            prop_assert_eq!(end.is_torn, !bytes.is_empty());
            let _ = verify(&bytes);
        }

        #[test]
        fn any_other_byte_is_seen(at in 0usize..3000, flip in 1u8..=255) {
            let mut log = log(10);
            let at = at % log.len();
            let line = log[..at].split(|byte| *byte == b'\n').count();
            log[at] ^= flip;
            prop_assert_eq!(verify(&log).map_err(|broken| broken.line), Err(line));
        }
    }
}
