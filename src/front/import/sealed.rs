//! What was taken out of files, sealed in the store: the only copy of how it was written.
//!
//! It deliberately leaves nothing on disk: what can be put back is known where the secrets are.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::{
    core::{
        credential::{Key, Kind as Namespace, Proof, Query, Record, Secrets},
        fault::{Fault, Kind},
        import::backup::Backup,
        origin::Origin,
        secret::{ExposeSecret, SecretString, same},
        text,
    },
    front::keyring::fault,
    store::{self, Error, Store},
    sys::clock,
};

/// The most that goes into one record, in bytes: a keyring takes 64 KiB, Windows 2,560 in UTF-16.
const PART: usize = if cfg!(windows) { 1024 } else { 48 * 1024 };

/// What was taken out of one file, and where that is kept.
#[derive(Debug)]
pub(super) struct Sealed {
    /// Which `import` it was.
    pub(super) run: u64,
    /// `None`: it cannot be read.
    pub(super) backup: Option<Backup>,
    /// Whether all of its parts are there. Where not, an `import` ended before it touched the file, or an
    /// `--undo` after it put the file back.
    pub(super) is_whole: bool,
    keys: Vec<Key>,
}

/// Keeps what is about to be taken out of a file, and reads it back.
pub(super) fn keep(
    store: &mut dyn Store,
    (run, place): (u64, usize),
    backup: &Backup,
) -> Result<Sealed, Fault> {
    let text = backup.encode();
    let mut rest = text.expose_secret();
    let mut parts: Vec<SecretString> = Vec::new();
    while !rest.is_empty() {
        let part = text::start(rest, PART);
        parts.push(part.into());
        rest = rest.get(part.len()..).unwrap_or_default();
    }
    let mut sealed = Sealed { run, backup: None, is_whole: true, keys: Vec::new() };
    let kept = keep_parts(store, (run, place), &parts, &mut sealed.keys);
    if kept.is_err() {
        // The reason is told; what stays of it is known to be no whole.
        let _ = forget(store, &sealed);
    }
    kept.map(|()| sealed)
}

fn keep_parts(
    store: &mut dyn Store,
    (run, place): (u64, usize),
    parts: &[SecretString],
    keys: &mut Vec<Key>,
) -> Result<(), Fault> {
    for (index, part) in parts.iter().enumerate() {
        let user = format!("{run:012} {place:04} {index:04} {:04}", parts.len());
        let key = Key { kind: Namespace::Internal, origin: origin()?, path: None, user };
        let secrets = Secrets::of(Proof::Password(part.clone()));
        let record = store::record(key.clone(), secrets, None, clock::now());
        keys.push(key);
        store.save(&record).map_err(fault)?;
    }
    let is_here = |record: &&Record| keys.contains(&record.entry.key);
    let found = store.find(&Query::origin(Namespace::Internal, origin()?)).map_err(fault)?;
    let mut back = 0;
    for record in found.iter().filter(is_here) {
        let at = keys.iter().position(|key| *key == record.entry.key).unwrap_or_default();
        let Proof::Password(kept) = &record.secrets.proof else { continue };
        back += usize::from(parts.get(at).is_some_and(|part| same(part, kept)));
    }
    if back != parts.len() {
        let what = "it did not give back what undoes the change".to_owned();
        return Err(fault(Error::Service(what)));
    }
    Ok(())
}

/// Returns everything that is kept, oldest first.
pub(super) fn all(store: &mut dyn Store) -> Result<Vec<Sealed>, Fault> {
    let records = store.find(&Query::origin(Namespace::Internal, origin()?)).map_err(fault)?;
    let mut parts: Vec<([u64; 4], Record)> = records
        .into_iter()
        .filter_map(|record| Some((numbers(&record.entry.key.user)?, record)))
        .collect();
    parts.sort_by_key(|(numbers, _)| *numbers);
    let mut all = Vec::new();
    for group in
        parts.chunk_by(|(one, _), (other, _)| one.first_chunk::<2>() == other.first_chunk())
    {
        let Some(([run, _, _, count], _)) = group.first() else { continue };
        let size = group.iter().map(|(_, record)| secret(record).map_or(0, str::len)).sum();
        let mut text = String::with_capacity(size);
        for (_, record) in group {
            text.push_str(secret(record).unwrap_or_default());
        }
        let text = SecretString::from(text);
        let is_whole = u64::try_from(group.len()).is_ok_and(|length| length == *count);
        all.push(Sealed {
            run: *run,
            backup: if is_whole { Backup::parse(&text) } else { None },
            is_whole,
            keys: group.iter().map(|(_, record)| record.entry.key.clone()).collect(),
        });
    }
    Ok(all)
}

/// Forgets it.
pub(super) fn forget(store: &mut dyn Store, sealed: &Sealed) -> Result<(), Fault> {
    sealed.keys.iter().try_for_each(|key| store.remove(key).map_err(fault))
}

/// Returns the SHA-256 of a file, in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn secret(record: &Record) -> Option<&str> {
    match &record.secrets.proof {
        Proof::Password(part) => Some(part.expose_secret()),
        Proof::Encoded { .. } => None,
    }
}

fn numbers(user: &str) -> Option<[u64; 4]> {
    let mut numbers = user.split(' ').map(|word| word.parse().ok());
    let all = [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(all)
}

fn origin() -> Result<Origin, Fault> {
    Origin::new("gocred", "import").map_err(|error| Fault::new(Kind::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{all, forget, hash, keep};
    use crate::{
        core::import::{backup::Backup, edit::Splice},
        store::memory::Memory,
    };

    fn backup(file: &str, size: usize) -> Backup {
        let source = vec![b'x'; size];
        let splices = vec![Splice::of(&source, 0..size, Vec::new()).unwrap()];
        let (before, after) = (hash(&source), hash(b""));
        Backup { file: file.to_owned(), before, after, splices }
    }

    #[test]
    fn what_is_large_is_kept_in_parts_and_comes_back_in_order() {
        let mut store = Memory::default();
        let _ = keep(&mut store, (7, 1), &backup("/b", 100_000)).unwrap();
        let _ = keep(&mut store, (7, 0), &backup("/a", 1)).unwrap();
        let _ = keep(&mut store, (6, 0), &backup("/c", 0)).unwrap();
        assert!(store.records.len() > 4);
        let kept = all(&mut store).unwrap();
        let told: Vec<_> =
            kept.iter().map(|one| (one.run, one.backup.as_ref().unwrap().file.as_str())).collect();
        assert_eq!(told, [(6, "/c"), (7, "/a"), (7, "/b")]);
        let large = kept[2].backup.as_ref().unwrap();
        assert_eq!(large.splices[0].removed.len(), 100_000);
        forget(&mut store, &kept[2]).unwrap();
        assert_eq!(all(&mut store).unwrap().len(), 2);
    }

    #[test]
    fn a_part_that_is_missing_is_noticed() {
        let mut store = Memory::default();
        let _ = keep(&mut store, (7, 1), &backup("/b", 100_000)).unwrap();
        store.records.pop();
        let all = all(&mut store).unwrap();
        assert!(!all[0].is_whole && all[0].backup.is_none());
    }

    #[test]
    fn what_a_store_does_not_take_leaves_no_part_behind() {
        let mut store = Memory { late: Some(crate::store::Error::Silent(1)), ..Memory::default() };
        assert!(keep(&mut store, (7, 0), &backup("/b", 100_000)).is_err());
        assert!(store.records.is_empty());
    }

    #[test]
    fn a_hash_is_a_known_one() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash(b""), empty);
    }
}
