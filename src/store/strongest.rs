//! The best logins that each corporate proxy has ever offered, across restarts: an offer of less
//! may be the work of somebody on the way who wants the password (proxy.md, "downgrade memory").
//!
//! It holds no secret, and nothing lowers it: who wants less says so in the configuration. A damaged
//! file remembers nothing, and is written anew. One that the system does not give now may say anything:
//! then the upstream counts as one that has offered the best.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{
    core::{
        auth::{Scheme, floor::Floor},
        origin::Origin,
    },
    sys::files,
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// The first word of each line: its format.
const FORMAT: &str = "v1";

/// Returns what an upstream has offered.
pub fn read(state: &Path, upstream: &Origin) -> Option<Floor> {
    match load(&file(state)) {
        Ok(mut known) => known.remove(&upstream.to_string()),
        Err(_) => Some(Floor { strongest: Scheme::Negotiate, beside: Scheme::Ntlm }),
    }
}

/// Remembers an offer that is better than every one before.
pub fn raise(state: &Path, upstream: &Origin, offer: Floor) -> io::Result<()> {
    change(state, |known| {
        let best = known.get(&upstream.to_string()).map_or(offer, |before| before.raised(offer));
        known.insert(upstream.to_string(), best);
    })
}

fn change(state: &Path, change: impl FnOnce(&mut BTreeMap<String, Floor>)) -> io::Result<()> {
    let file = file(state);
    let _lock = files::lock(&file)?;
    let mut known = load(&file)?;
    let before = known.clone();
    change(&mut known);
    if known == before {
        return Ok(());
    }
    let line = |(upstream, Floor { strongest, beside }): (&String, &Floor)| {
        format!("{FORMAT} {upstream} {strongest} {beside}\n")
    };
    files::write_private(&file, known.iter().map(line).collect::<String>().as_bytes())
}

fn load(file: &Path) -> io::Result<BTreeMap<String, Floor>> {
    let bytes = match files::read(file, MAX_FILE) {
        Ok(bytes) => bytes.unwrap_or_default(),
        // What the system refuses has a number; what the reader refuses (too large, a folder) has none.
        Err(error) if error.raw_os_error().is_some() => return Err(error),
        Err(_) => Vec::new(),
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<(String, Floor)> {
    let mut words = line.split(' ');
    let (FORMAT, upstream) = (words.next()?, words.next()?) else { return None };
    let strongest = Scheme::parse(words.next()?)?;
    let beside = match (words.next(), strongest) {
        (Some(beside), _) => Scheme::parse(beside)?,
        // Earlier versions did not write it.
        (None, Scheme::Negotiate) => Scheme::Basic,
        (None, Scheme::Basic | Scheme::Bearer | Scheme::Digest | Scheme::Ntlm) => strongest,
    };
    Some((upstream.to_owned(), Floor { strongest, beside }))
}

fn file(state: &Path) -> PathBuf {
    state.join("strongest")
}

#[cfg(test)]
mod tests {
    use super::{raise, read};
    use crate::core::{
        auth::{Scheme, floor::Floor},
        challenge,
        origin::Origin,
    };

    fn offer(text: &str) -> Floor {
        Floor::of(&challenge::parse(text.as_bytes())).unwrap()
    }

    #[test]
    fn the_strongest_offer_stays() {
        let state = tempfile::tempdir().unwrap();
        let upstream = Origin::new("http", "p:3128").unwrap();
        let other = Origin::new("http", "q:3128").unwrap();
        assert_eq!(read(state.path(), &upstream), None);
        for text in ["Negotiate, Basic", "NTLM, Basic", "Basic"] {
            raise(state.path(), &upstream, offer(text)).unwrap();
        }
        raise(state.path(), &other, offer("Digest realm=r")).unwrap();
        assert_eq!(read(state.path(), &upstream), Some(offer("Negotiate, NTLM")));
        assert_eq!(read(state.path(), &other), Some(offer("Digest realm=r")));
    }

    #[test]
    fn a_damaged_file_remembers_nothing_and_stops_nobody() {
        let state = tempfile::tempdir().unwrap();
        let upstream = Origin::new("http", "p:3128").unwrap();
        raise(state.path(), &upstream, offer("NTLM")).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(super::file(state.path()))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"\xff\x00v1"))
            .unwrap();
        assert_eq!(read(state.path(), &upstream), None);
        raise(state.path(), &upstream, offer("Digest realm=r")).unwrap();
        assert_eq!(read(state.path(), &upstream), Some(offer("Digest realm=r")));
    }

    #[test]
    fn a_file_of_an_earlier_version_is_read() {
        let state = tempfile::tempdir().unwrap();
        let text = "v1 http://p:1 NTLM\nv1 http://q:1 Negotiate\n";
        crate::sys::files::write_private(&super::file(state.path()), text.as_bytes()).unwrap();
        let of = |host: &str| read(state.path(), &Origin::new("http", host).unwrap()).unwrap();
        assert_eq!(of("p:1"), offer("NTLM"));
        assert_eq!(of("q:1"), Floor { strongest: Scheme::Negotiate, beside: Scheme::Basic });
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_the_system_does_not_open_now_stays_and_allows_nothing_less() {
        let state = tempfile::tempdir().unwrap();
        let upstream = Origin::new("http", "p:3128").unwrap();
        let file = super::file(state.path());
        std::os::unix::fs::symlink(&file, &file).unwrap();
        assert_eq!(read(state.path(), &upstream), Some(offer("Negotiate, NTLM")));
        assert!(raise(state.path(), &upstream, offer("NTLM")).is_err());
        assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read(state.path(), &upstream), None);
    }
}
