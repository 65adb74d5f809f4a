//! Splices: pieces of a file that give way to others, and back again, byte for byte.

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

/// How many bytes around a piece are kept, to find its place in a file that was changed since.
const AROUND: usize = 48;

/// A piece of a file that gives way. What it is made of may be secret.
#[derive(Clone, Debug)]
pub struct Splice {
    /// Where it stood.
    pub at: usize,
    /// What stood there.
    pub removed: Zeroizing<Vec<u8>>,
    /// What stands there now.
    pub inserted: Vec<u8>,
    /// What stands before it, and after it.
    pub around: (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>),
}

impl Splice {
    /// Cuts a span out. `None`: there is no such span.
    pub fn of(source: &[u8], span: Range<usize>, inserted: Vec<u8>) -> Option<Self> {
        let removed = Zeroizing::new(source.get(span.clone())?.to_vec());
        let before = source.get(span.start.saturating_sub(AROUND)..span.start)?;
        let after = source.get(span.end..(span.end + AROUND).min(source.len()))?;
        let around = (Zeroizing::new(before.to_vec()), Zeroizing::new(after.to_vec()));
        Some(Self { at: span.start, removed, inserted, around })
    }
}

/// Returns the file with every piece gone. The splices are in ascending order and apart from each
/// other; `None` where they are not, or do not fit.
pub fn apply(source: &[u8], splices: &[Splice]) -> Option<Vec<u8>> {
    let mut after = Vec::with_capacity(source.len() + 64 * splices.len());
    let mut done = 0;
    for splice in splices {
        after.extend_from_slice(source.get(done..splice.at)?);
        after.extend_from_slice(&splice.inserted);
        done = splice.at + splice.removed.len();
        if source.get(splice.at..done)? != splice.removed.as_slice() {
            return None;
        }
    }
    after.extend_from_slice(source.get(done..)?);
    Some(after)
}

/// Returns the file as it was before [`apply`]. `None`: it is not what that left.
pub fn revert(after: &[u8], splices: &[Splice]) -> Option<Zeroizing<Vec<u8>>> {
    let more: usize = splices.iter().map(|splice| splice.removed.len()).sum();
    let mut source = Zeroizing::new(Vec::with_capacity(after.len() + more));
    // How far the file before is ahead of the file after is never more than what was removed.
    let (mut done, mut moved_on, mut moved_back) = (0, 0, 0);
    for splice in splices {
        let at = (splice.at + moved_on).checked_sub(moved_back)?;
        let end = at + splice.inserted.len();
        if after.get(at..end)? != splice.inserted.as_slice() {
            return None;
        }
        source.extend_from_slice(after.get(done..at)?);
        source.extend_from_slice(&splice.removed);
        done = end;
        moved_on += splice.inserted.len();
        moved_back += splice.removed.len();
    }
    source.extend_from_slice(after.get(done..)?);
    Some(source)
}

/// Puts every piece back into a file that was changed since, where what stands around it is found
/// exactly once. `None`: one of them has no place, or more than one.
pub fn put_back(changed: &[u8], splices: &[Splice]) -> Option<Zeroizing<Vec<u8>>> {
    let mut places = Vec::with_capacity(splices.len());
    for (index, splice) in splices.iter().enumerate() {
        // A neighbour that went, too, is not there to be recognised by.
        let before = splice.at.checked_sub(splice.around.0.len())?;
        let earlier = index.checked_sub(1).and_then(|index| splices.get(index));
        let cut = earlier.map_or(0, |one| (one.at + one.removed.len()).saturating_sub(before));
        let from = splice.around.0.get(cut.min(splice.around.0.len())..)?;
        let end = splice.at + splice.removed.len();
        let later = splices.get(index + 1).map_or(usize::MAX, |next| next.at.saturating_sub(end));
        let to = splice.around.1.get(..later.min(splice.around.1.len()))?;
        // What is as long as this many bytes is recognised; less could stand anywhere.
        let needle = Zeroizing::new([from, splice.inserted.as_slice(), to].concat());
        let mut found = changed.windows(needle.len().max(1)).enumerate();
        let mut found = found.by_ref().filter(|(_, part)| *part == needle.as_slice());
        let at = found.next()?.0 + from.len();
        if found.next().is_some() {
            return None;
        }
        places.push(Splice { at, ..splice.clone() });
    }
    let in_order = places.windows(2).all(|pair| match pair {
        [one, next] => one.at + one.inserted.len() <= next.at,
        _ => true,
    });
    if !in_order {
        return None;
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(changed.len() + 4096));
    let mut done = 0;
    for Splice { at, removed, inserted, around: _ } in &places {
        whole.extend_from_slice(changed.get(done..*at)?);
        whole.extend_from_slice(removed);
        done = at + inserted.len();
    }
    whole.extend_from_slice(changed.get(done..)?);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Splice, apply, put_back, revert};

    fn splices(source: &[u8], cuts: &[(usize, usize, &str)]) -> Vec<Splice> {
        let splice = |(from, to, put): &(usize, usize, &str)| {
            Splice::of(source, *from..*to, put.as_bytes().to_vec()).unwrap()
        };
        cuts.iter().map(splice).collect()
    }

    #[test]
    fn pieces_go_and_come_back() {
        let source = b"one two three four";
        let splices = splices(source, &[(0, 4, ""), (8, 13, "3"), (14, 18, "4444444")]);
        let after = apply(source, &splices).unwrap();
        assert_eq!(after, b"two 3 4444444");
        assert_eq!(revert(&after, &splices).unwrap().as_slice(), source);
        assert!(revert(b"two 3 444444X", &splices).is_none());
        assert!(apply(b"one two thrEe four", &splices).is_none());
    }

    #[test]
    fn a_changed_file_takes_its_pieces_where_their_neighbours_are() {
        let source = b"# a\nexport A=secret\n# b\nexport B=other\n# c\n";
        let splices = splices(source, &[(13, 19, "x"), (33, 38, "")]);
        let after = apply(source, &splices).unwrap();
        let changed = [b"# new first line, longer than any\n".as_slice(), &after].concat();
        let back = put_back(&changed, &splices);
        // The first piece is recognised by what begins the file, which is there, too.
        let expected = [b"# new first line, longer than any\n".as_slice(), source].concat();
        assert_eq!(back.unwrap().as_slice(), expected);
        assert!(put_back(b"all gone", &splices).is_none());
        assert!(put_back(&[after.clone(), after].concat(), &splices).is_none());
    }

    proptest! {
        #[test]
        fn what_is_taken_out_comes_back(
            source in prop::collection::vec(any::<u8>(), 0..200),
            mut ends in prop::collection::vec(0_usize..200, 0..8),
            put in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            ends.sort_unstable();
            let pairs = ends.chunks_exact(2);
            let splices: Vec<_> = pairs
                .filter_map(|pair| Splice::of(&source, pair[0]..pair[1], put.clone()))
                .collect();
            let after = apply(&source, &splices).unwrap();
            let back = revert(&after, &splices).unwrap();
            prop_assert_eq!(back.as_slice(), source.as_slice());
            let _ = put_back(&after, &splices);
        }
    }
}
