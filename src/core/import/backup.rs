//! What was taken out of a file, as text that a store keeps sealed: one line, so that every keyring
//! takes it.
//!
//! It deliberately is no copy of the file: only what went, and by what the file is known again.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

use crate::core::{
    import::edit::Splice,
    secret::{ExposeSecret, SecretString},
};

/// The first word: the format.
const FORMAT: &str = "gocred-import-1";
/// Stands for no bytes at all.
const NONE: &str = "-";

/// What was taken out of one file.
#[derive(Clone, Debug)]
pub struct Backup {
    /// The file.
    pub file: String,
    /// The SHA-256 of the file before, in hexadecimal.
    pub before: String,
    /// The same of what was left.
    pub after: String,
    /// What went.
    pub splices: Vec<Splice>,
}

impl Backup {
    /// Writes it.
    pub fn encode(&self) -> SecretString {
        let Self { file, before, after, splices } = self;
        let bytes = |splice: &Splice| {
            let around = splice.around.0.len() + splice.around.1.len();
            2 * (splice.removed.len() + splice.inserted.len() + around) + 64
        };
        let size: usize = splices.iter().map(bytes).sum();
        // Never moved while it grows.
        let mut text = String::with_capacity(size + 2 * file.len() + 256);
        text.push_str(FORMAT);
        for word in [before, after] {
            text.push(' ');
            text.push_str(word);
        }
        push(&mut text, file.as_bytes());
        for Splice { at, removed, inserted, around: (left, right) } in splices {
            text.push(' ');
            text.push_str(&at.to_string());
            for bytes in [removed.as_slice(), inserted, left, right] {
                push(&mut text, bytes);
            }
        }
        text.into()
    }

    /// Parses what [`Self::encode`] returns.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let mut words = text.expose_secret().split(' ');
        if words.next()? != FORMAT {
            return None;
        }
        let mut hash = || Some(words.next()?.to_owned()).filter(|hash| hash.len() == 64);
        let (before, after) = (hash()?, hash()?);
        let file = String::from_utf8(pull(words.next()?)?.to_vec()).ok()?;
        let mut splices = Vec::new();
        while let Some(at) = words.next() {
            let at = at.parse().ok()?;
            let removed = pull(words.next()?)?;
            let inserted = pull(words.next()?)?.to_vec();
            let around = (pull(words.next()?)?, pull(words.next()?)?);
            splices.push(Splice { at, removed, inserted, around });
        }
        Some(Self { file, before, after, splices })
    }
}

fn push(text: &mut String, bytes: &[u8]) {
    text.push(' ');
    if bytes.is_empty() {
        text.push_str(NONE);
    } else {
        STANDARD.encode_string(bytes, text);
    }
}

fn pull(word: &str) -> Option<Zeroizing<Vec<u8>>> {
    if word == NONE {
        return Some(Zeroizing::default());
    }
    STANDARD.decode(word).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::Backup;
    use crate::core::import::edit::{Splice, apply, revert};

    #[test]
    fn what_was_written_is_read_again() {
        let source = b"a=\xff secret\nb=\n";
        let splices = vec![
            Splice::of(source, 0..4, b"x".to_vec()).unwrap(),
            Splice::of(source, 11..11, Vec::new()).unwrap(),
        ];
        let after = apply(source, &splices).unwrap();
        let (file, hash) = ("/home/ana/a b".to_owned(), "0".repeat(64));
        let backup = Backup { file: file.clone(), before: hash.clone(), after: hash, splices };
        let back = Backup::parse(&backup.encode()).unwrap();
        assert_eq!(back.file, file);
        assert_eq!(revert(&after, &back.splices).unwrap().as_slice(), source);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let hash = "0".repeat(64);
        for text in [
            String::new(),
            "gocred-import-2".to_owned(),
            "gocred-import-1 x y".to_owned(),
            format!("gocred-import-1 {hash} {hash} !"),
            format!("gocred-import-1 {hash} {hash} YQ== 1"),
            format!("gocred-import-1 {hash} {hash} YQ== 1 YQ== YQ== YQ=="),
            format!("gocred-import-1 {hash} {hash} YQ== x - - - -"),
        ] {
            assert!(Backup::parse(&text.as_str().into()).is_none(), "{text}");
        }
    }
}
