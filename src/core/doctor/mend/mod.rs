//! What `doctor --fix` changes in a file, as edits. A line that goes is made a comment: nothing of the user's
//! is lost, no copy of it is kept elsewhere, and `--undo` has only our own text to take back.
//!
//! Several changes of a file are made in one go ([`plan`]): those that name a line first, from the last line
//! up, so that none moves what another one names.

mod edit;
pub mod order;
pub mod shown;

use std::cmp::Reverse;

use thiserror::Error;

use crate::core::{
    doctor::finding::Change,
    setup::{Edit, apply, gitconfig},
};

/// What stands before a line that was switched off.
pub const MARK: &str = "# gocred doctor: ";

/// Why a change is not made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// What was to be changed is not there any more.
    #[error("what was to be changed is not there any more")]
    Gone,
    /// The file is not in its grammar.
    #[error("{0}")]
    Grammar(#[from] gitconfig::Error),
    /// It has a header and a value on one line, or several lines in one value.
    #[error("it is written in a way that cannot be edited safely")]
    Unsafe,
    /// Another change has the same place.
    #[error("another change is made there first; run it again")]
    Taken,
}

/// What the changes of one file come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The edits, each with the index of its change; to be made one after the other.
    pub edits: Vec<(usize, Edit)>,
    /// The changes that are not made.
    pub left: Vec<(usize, Error)>,
}

/// Returns the edits that some changes make in their file; a missing file is an empty one. A change that edits
/// no text makes none.
pub fn plan(changes: &[&Change], text: &[u8]) -> Planned {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_key(|index| Reverse(changes.get(*index).and_then(|change| place(change))));
    let mut planned = Planned::default();
    let mut text = text.to_vec();
    for (at, index) in order.iter().enumerate() {
        let Some(change) = changes.get(*index) else { continue };
        let mut earlier = order.iter().take(at).filter_map(|index| changes.get(*index));
        let made = if earlier.any(|other| clash(other, change)) {
            Err(Error::Taken)
        } else {
            edit::edits(change, &text)
        };
        let after = made.and_then(|edits| {
            let after = apply(&text, &edits).ok_or(Error::Unsafe)?;
            Ok((edits, after))
        });
        match after {
            Ok((edits, after)) => {
                text = after;
                planned.edits.extend(edits.into_iter().map(|edit| (*index, edit)));
            }
            Err(error) => planned.left.push((*index, error)),
        }
    }
    planned
}

/// The line that a change names, and which of its parts.
fn place(change: &Change) -> Option<(usize, usize)> {
    match change {
        Change::Line { line, .. } => Some((*line, 0)),
        Change::Part { line, nth, .. } => Some((*line, *nth)),
        Change::GitConfig { line, .. } => line.map(|line| (line, 0)),
        Change::GoEnv { .. }
        | Change::GitAdd { .. }
        | Change::FirstHelper { .. }
        | Change::Unreadable { .. }
        | Change::Foreign { .. }
        | Change::Before { .. }
        | Change::Aside { .. }
        | Change::Folder { .. }
        | Change::Mode { .. }
        | Change::Run { .. } => None,
    }
}

/// Whether two changes of one file are about the same thing.
fn clash(one: &Change, other: &Change) -> bool {
    if let (Change::Part { line, nth, .. }, Change::Part { line: of_other, nth: own, .. }) =
        (one, other)
    {
        return (line, nth) == (of_other, own);
    }
    let line = |change: &Change| place(change).map(|(line, _)| line);
    let named = |change: &Change| match change {
        Change::GoEnv { name, .. } => Some(name.clone()),
        Change::GitConfig { key, .. } => Some(key.clone()),
        Change::FirstHelper { .. } => Some("credential.helper".to_owned()),
        _ => None,
    };
    match (line(one), line(other)) {
        (Some(one), Some(other)) => one == other,
        // A line that was switched off may have been the value that is meant.
        _ => named(one).is_some() && named(one) == named(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Error, Planned, plan};
    use crate::core::setup::{Edit, Reverted, apply};

    /// Returns what was there before.
    pub(super) fn taken_back(edits: &[Edit], after: &[u8]) -> Vec<u8> {
        edits.iter().rev().fold(after.to_vec(), |now, edit| match edit.revert(&now) {
            Reverted::Exactly(before) => before,
            other => panic!("{other:?}"),
        })
    }

    fn all(changes: &[&Change], text: &str) -> (String, Vec<(usize, Error)>) {
        let Planned { edits, left } = plan(changes, text.as_bytes());
        let edits: Vec<Edit> = edits.into_iter().map(|(_, edit)| edit).collect();
        let after = apply(text.as_bytes(), &edits).unwrap();
        assert_eq!(taken_back(&edits, &after), text.as_bytes());
        (String::from_utf8(after).unwrap(), left)
    }

    fn line(line: usize, text: Option<&str>) -> Change {
        Change::Line { file: "f".into(), line, text: text.map(str::to_owned) }
    }

    fn part(line: usize, nth: usize, from: &str, to: &str) -> Change {
        Change::Part { file: "f".into(), line, nth, from: from.into(), to: to.into() }
    }

    fn goenv(name: &str, value: Option<&str>) -> Change {
        Change::GoEnv { name: name.into(), value: value.map(str::to_owned) }
    }

    #[test]
    fn several_changes_of_a_file_do_not_move_each_other() {
        let (first, third) = (line(1, Some("a=x\nb=y")), line(3, None));
        let (inner, word) = (part(2, 1, "--", "-"), part(2, 0, "--", "="));
        let (after, left) = all(&[&first, &third, &word, &inner], "a=1\nb -- c -- d\nc=3\n");
        assert_eq!(after, "a=x\nb=y\n# gocred doctor: a=1\nb = c - d\n# gocred doctor: c=3\n");
        assert!(left.is_empty());
    }

    #[test]
    fn one_place_is_changed_once() {
        let (one, other) = (goenv("GOPROXY", Some("https://a")), goenv("GOPROXY", None));
        let (after, left) = all(&[&one, &other], "GOPROXY=x\n");
        assert_eq!(after, "# gocred doctor: GOPROXY=x\nGOPROXY=https://a\n");
        assert_eq!(left, [(1, Error::Taken)]);
        let (one, other) = (line(1, Some("x")), part(1, 0, "G", "H"));
        assert_eq!(all(&[&one, &other], "G\n").1, [(1, Error::Taken)]);
    }

    #[test]
    fn what_is_not_there_is_left_and_the_rest_is_made() {
        let (gone, there) = (line(9, None), line(1, None));
        let (after, left) = all(&[&gone, &there], "a");
        assert_eq!((after.as_str(), left), ("# gocred doctor: a", vec![(0, Error::Gone)]));
    }
}
