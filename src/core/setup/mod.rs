//! What `gocred setup` changes in the files of git and go and in its own, as data.
//!
//! It deliberately reads and writes nothing: bytes in, edits out. A change is mostly an insertion, so
//! that what `setup --undo` has to remember is our own text and never the user's.

pub mod gitconfig;
pub mod goenv;
#[cfg(feature = "full")]
pub mod goproxy;
#[cfg(feature = "full")]
pub mod mirror;
#[cfg(feature = "full")]
pub mod server;

/// One change of a file: at byte `at`, `removed` gives way to `inserted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Where, in bytes, in the file as the edits before this one left it.
    pub at: usize,
    /// What was there. Never what may hold a secret: text that gocred wrote, the word `off`, a GOPROXY
    /// without accounts, or lines of config.toml.
    pub removed: String,
    /// What is there now.
    pub inserted: String,
}

/// How an edit was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reverted {
    /// It was where it had been put.
    Exactly(Vec<u8>),
    /// It stood elsewhere, because the file was edited since; those edits are kept.
    Moved(Vec<u8>),
    /// The file does not hold it any more.
    Gone,
    /// The file holds it more than once, so that nobody can say which one is ours.
    Ambiguous,
}

impl Edit {
    /// Inserts a text.
    pub fn insert(at: usize, inserted: impl Into<String>) -> Self {
        Self { at, removed: String::new(), inserted: inserted.into() }
    }

    /// Returns the edit that turns one text into another, in whole lines. `None` if there is nothing to
    /// do.
    pub fn between(before: &str, after: &str) -> Option<Self> {
        if before == after {
            return None;
        }
        let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
        let (mut old, mut new) = (lines(before), lines(after));
        while old.last().is_some() && old.last() == new.last() {
            old.pop();
            new.pop();
        }
        let common = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let at = old.drain(..common).map(str::len).sum();
        new.drain(..common);
        Some(Self { at, removed: old.concat(), inserted: new.concat() })
    }

    /// Returns the file with the edit made. `None` if `removed` does not stand at `at`.
    pub fn apply(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        splice(bytes, self.at, &self.removed, &self.inserted)
    }

    /// Takes the edit back.
    pub fn revert(&self, bytes: &[u8]) -> Reverted {
        if let Some(before) = splice(bytes, self.at, &self.inserted, &self.removed) {
            return Reverted::Exactly(before);
        }
        let ours = self.inserted.as_bytes();
        if ours.is_empty() {
            return Reverted::Gone;
        }
        let mut found = bytes.windows(ours.len()).enumerate().filter(|(_, part)| *part == ours);
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (None, _) => Reverted::Gone,
            (Some(_), Some(_)) => Reverted::Ambiguous,
            (Some((at, _)), None) => splice(bytes, at, &self.inserted, &self.removed)
                .map_or(Reverted::Gone, Reverted::Moved),
        }
    }
}

/// Makes edits one after the other. `None` if one of them does not fit.
pub fn apply(bytes: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
    edits.iter().try_fold(bytes.to_vec(), |bytes, edit| edit.apply(&bytes))
}

fn splice(bytes: &[u8], at: usize, old: &str, new: &str) -> Option<Vec<u8>> {
    let (before, rest) = bytes.split_at_checked(at)?;
    let after = rest.strip_prefix(old.as_bytes())?;
    Some([before, new.as_bytes(), after].concat())
}

#[cfg(test)]
mod tests {
    use super::{Edit, Reverted};

    #[test]
    fn an_edit_is_made_and_taken_back() {
        let edit = Edit { at: 2, removed: "off".into(), inserted: "on".into() };
        let after = edit.apply(b"a=off\n").unwrap();
        assert_eq!(after, b"a=on\n");
        assert_eq!(edit.revert(&after), Reverted::Exactly(b"a=off\n".to_vec()));
        assert_eq!(edit.apply(b"a=netrc\n"), None);
    }

    #[test]
    fn two_texts_differ_by_whole_lines() {
        for (before, after, at) in [
            ("", "a\n", 0),
            ("a\nb\n", "a\nx\nb\n", 2),
            ("a\nb\nb\n", "a\nb\nc\nb\n", 4),
            ("a\nold = 1\nz", "a\nold = 2\nz", 2),
            ("é", "é\n[x]\n", 0),
        ] {
            let edit = Edit::between(before, after).unwrap();
            assert_eq!(edit.at, at, "{before:?}");
            let bytes = edit.apply(before.as_bytes()).unwrap();
            assert_eq!(bytes, after.as_bytes());
            assert_eq!(edit.revert(&bytes), Reverted::Exactly(before.into()));
        }
        assert_eq!(Edit::between("a\n", "a\n"), None);
    }

    #[test]
    fn later_edits_of_others_are_kept() {
        let edit = Edit::insert(4, "ours\n");
        assert_eq!(edit.revert(b"new\nold\nours\n"), Reverted::Moved(b"new\nold\n".to_vec()));
        assert_eq!(edit.revert(b"new\nold\n"), Reverted::Gone);
        assert_eq!(edit.revert(b"ours\nx\nours\n"), Reverted::Ambiguous);
    }
}
