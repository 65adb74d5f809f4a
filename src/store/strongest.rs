//! The strongest login that each corporate proxy has ever offered, across restarts: an offer of less
//! may be the work of somebody on the way who wants the password (proxy.md, "downgrade memory").
//!
//! It holds no secret. A damaged file remembers nothing, and is written anew. One that the system does
//! not give now may say anything: then the upstream counts as one that has offered the strongest.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{
    core::{
        auth::{DEFAULT_ORDER, Scheme},
        origin::Origin,
    },
    sys::files,
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// The first word of each line: its format.
const FORMAT: &str = "v1";

/// Returns what an upstream has offered.
pub fn read(state: &Path, upstream: &Origin) -> Option<Scheme> {
    match load(&file(state)) {
        Ok(mut known) => known.remove(&upstream.to_string()),
        Err(_) => DEFAULT_ORDER.first().copied(),
    }
}

/// Remembers an offer that is stronger than every one before.
pub fn raise(state: &Path, upstream: &Origin, scheme: Scheme) -> io::Result<()> {
    change(state, |known| {
        let before = known.insert(upstream.to_string(), scheme);
        if let Some(before) = before.filter(|before| *before > scheme) {
            known.insert(upstream.to_string(), before);
        }
    })
}

/// Forgets an upstream: the user has signed in anew.
pub fn forget(state: &Path, upstream: &Origin) -> io::Result<()> {
    if !file(state).exists() {
        return Ok(());
    }
    change(state, |known| {
        known.remove(&upstream.to_string());
    })
}

fn change(state: &Path, change: impl FnOnce(&mut BTreeMap<String, Scheme>)) -> io::Result<()> {
    let file = file(state);
    let _lock = files::lock(&file)?;
    let mut known = load(&file)?;
    let before = known.clone();
    change(&mut known);
    if known == before {
        return Ok(());
    }
    let line = |(upstream, scheme): (&String, &Scheme)| format!("{FORMAT} {upstream} {scheme}\n");
    files::write_private(&file, known.iter().map(line).collect::<String>().as_bytes())
}

fn load(file: &Path) -> io::Result<BTreeMap<String, Scheme>> {
    let bytes = match files::read(file, MAX_FILE) {
        Ok(bytes) => bytes.unwrap_or_default(),
        // What the system refuses has a number; what the reader refuses (too large, a folder) has none.
        Err(error) if error.raw_os_error().is_some() => return Err(error),
        Err(_) => Vec::new(),
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<(String, Scheme)> {
    let mut words = line.split(' ');
    let (FORMAT, upstream) = (words.next()?, words.next()?) else { return None };
    Some((upstream.to_owned(), Scheme::parse(words.next()?)?))
}

fn file(state: &Path) -> PathBuf {
    state.join("strongest")
}

#[cfg(test)]
mod tests {
    use super::{forget, raise, read};
    use crate::core::{auth::Scheme, origin::Origin};

    #[test]
    fn the_strongest_offer_stays_until_it_is_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let upstream = Origin::new("http", "p:3128").unwrap();
        let other = Origin::new("http", "q:3128").unwrap();
        assert_eq!(read(state.path(), &upstream), None);
        for scheme in [Scheme::Digest, Scheme::Ntlm, Scheme::Basic] {
            raise(state.path(), &upstream, scheme).unwrap();
        }
        raise(state.path(), &other, Scheme::Digest).unwrap();
        assert_eq!(read(state.path(), &upstream), Some(Scheme::Ntlm));
        forget(state.path(), &upstream).unwrap();
        assert_eq!(read(state.path(), &upstream), None);
        assert_eq!(read(state.path(), &other), Some(Scheme::Digest));
    }

    #[test]
    fn a_damaged_file_remembers_nothing_and_stops_nobody() {
        let state = tempfile::tempdir().unwrap();
        let upstream = Origin::new("http", "p:3128").unwrap();
        raise(state.path(), &upstream, Scheme::Ntlm).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(super::file(state.path()))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"\xff\x00v1"))
            .unwrap();
        assert_eq!(read(state.path(), &upstream), None);
        raise(state.path(), &upstream, Scheme::Digest).unwrap();
        assert_eq!(read(state.path(), &upstream), Some(Scheme::Digest));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_the_system_does_not_open_now_stays_and_allows_nothing_less() {
        let state = tempfile::tempdir().unwrap();
        let upstream = Origin::new("http", "p:3128").unwrap();
        let file = super::file(state.path());
        std::os::unix::fs::symlink(&file, &file).unwrap();
        assert_eq!(read(state.path(), &upstream), Some(Scheme::Negotiate));
        assert!(raise(state.path(), &upstream, Scheme::Ntlm).is_err());
        assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read(state.path(), &upstream), None);
    }
}
