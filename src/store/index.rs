//! The index: which origins a store holds something for, so that a foreign host is answered without
//! touching the keyring (decisions.md, "Ours").
//!
//! It deliberately holds no secret, no account and no path, and it is never the truth: an origin too
//! many costs one question to the keyring, and a lost file is rebuilt from the store.
//!
//! The file `hosts` in the state folder is a header and one line an origin. `partial` in the header
//! marks a file that began with an [`add`] while there was none: it is read as missing, and
//! [`rebuild`] keeps its lines, so that an `add` between another process's look into the store and
//! its write is not lost.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use crate::{
    core::{
        credential::{Entry, Kind, Query},
        origin::Origin,
    },
    store::{Error, Store},
    sys::{clock, files},
};

/// What the store is known to hold.
#[derive(Clone, Debug)]
pub struct Index {
    /// The lines after the header. They are compared as text: parsing 5,000 origins would cost more
    /// than the whole question.
    lines: String,
    parsed: OnceCell<Vec<(Kind, Origin)>>,
}

impl Index {
    /// Reads the index of a state folder. `Ok(None)` is a missing or partial one. An unreadable or
    /// damaged file is moved aside first and is the error; the next call finds it missing.
    pub fn load(state: &Path) -> Result<Option<Self>, Error> {
        let hosts = read(state)?.filter(|hosts| matches!(hosts.extent, Extent::Complete));
        Ok(hosts.map(|hosts| Self::of(hosts.lines)))
    }

    fn of(lines: String) -> Self {
        Self { lines, parsed: OnceCell::new() }
    }

    /// Returns whether something is stored for an origin.
    pub fn has(&self, kind: Kind, origin: &Origin) -> bool {
        has_line(&self.lines, &line(kind, origin))
    }

    /// Returns the origins of a namespace, in the order in which they came.
    pub fn origins(&self, kind: Kind) -> impl Iterator<Item = &Origin> {
        let parsed = self.parsed.get_or_init(|| self.lines.lines().filter_map(parse).collect());
        parsed.iter().filter(move |(of, _)| *of == kind).map(|(_, origin)| origin)
    }
}

/// Adds an origin; when it is there, nothing is written. Call it after the store took the secret.
pub fn add(state: &Path, kind: Kind, origin: &Origin) -> Result<(), Error> {
    let new = line(kind, origin);
    let has_new = |hosts: &Hosts| has_line(&hosts.lines, &new);
    if read(state)?.as_ref().is_some_and(has_new) {
        return Ok(());
    }
    locked(state, |file, hosts| match hosts {
        None => files::append_private(file, format!("{PARTIAL}{new}\n").as_bytes()),
        Some(hosts) if has_new(&hosts) => Ok(()),
        Some(Hosts { extent, lines, end: End::Unfinished }) => {
            write(file, extent, lines.lines().chain([new.as_str()])).map(drop)
        }
        Some(Hosts { extent: _, lines: _, end: End::Finished }) => {
            files::append_private(file, format!("{new}\n").as_bytes())
        }
    })
}

/// Removes an origin: the store holds nothing for it any more.
pub fn remove(state: &Path, kind: Kind, origin: &Origin) -> Result<(), Error> {
    let old = line(kind, origin);
    locked(state, |file, hosts| match hosts {
        Some(Hosts { extent, lines, end: _ }) if has_line(&lines, &old) => {
            write(file, extent, lines.lines().filter(|line| *line != old)).map(drop)
        }
        Some(_) | None => Ok(()),
    })
}

/// Writes the index anew from what a store lists, and keeps what was added meanwhile.
pub fn rebuild(state: &Path, entries: &[Entry]) -> Result<Index, Error> {
    locked(state, |file, hosts| {
        let found = entries.iter().map(|entry| line(entry.key.kind, &entry.key.origin));
        let kept = hosts.map(|hosts| hosts.lines).unwrap_or_default();
        let all: BTreeSet<String> = kept.lines().map(str::to_owned).chain(found).collect();
        write(file, Extent::Complete, all.iter().map(String::as_str)).map(Index::of)
    })
}

/// Asks a store for everything it holds, and writes the index from that. An index that cannot be
/// written is still known; the second value says what is wrong with the file.
pub fn learn(state: &Path, store: &mut dyn Store) -> Result<(Index, Option<Error>), Error> {
    let mut entries = store.list(&Query::all(Kind::Git))?;
    entries.extend(store.list(&Query::all(Kind::Proxy))?);
    Ok(match rebuild(state, &entries) {
        Ok(index) => (index, None),
        Err(error) => {
            let line = |entry: &Entry| line(entry.key.kind, &entry.key.origin) + "\n";
            (Index::of(entries.iter().map(line).collect()), Some(error))
        }
    })
}

/// The file as it was found.
struct Hosts {
    extent: Extent,
    /// The finished lines after the header.
    lines: String,
    end: End,
}

/// What the header says.
#[derive(Clone, Copy)]
enum Extent {
    Complete,
    Partial,
}

impl Extent {
    fn header(self) -> &'static str {
        match self {
            Self::Complete => COMPLETE,
            Self::Partial => PARTIAL,
        }
    }
}

/// How the last line ends. One without line feed is of a process that died; it does not count.
#[derive(Clone, Copy)]
enum End {
    Finished,
    Unfinished,
}

/// Changes the file under its lock.
fn locked<T>(
    state: &Path,
    change: impl FnOnce(&Path, Option<Hosts>) -> io::Result<T>,
) -> Result<T, Error> {
    let file = file(state);
    let trouble = |error: io::Error| Error::File {
        file: file.clone(),
        line: 0,
        what: format!("the index of hosts cannot be written: {error}"),
    };
    let _lock = files::lock(&file).map_err(trouble)?;
    let hosts = read(state)?;
    change(&file, hosts).map_err(trouble)
}

/// Reads the file; what cannot be used is moved aside.
fn read(state: &Path) -> Result<Option<Hosts>, Error> {
    let file = file(state);
    let bytes = match files::read(&file, MAX_SIZE) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) => return move_aside(&file, &format!("cannot be read: {error}")),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return move_aside(&file, "is damaged: it is not UTF-8");
    };
    for extent in [Extent::Complete, Extent::Partial] {
        let Some(rest) = text.strip_prefix(extent.header()) else { continue };
        let (lines, tail) = rest.split_at(rest.rfind('\n').map_or(0, |end| end + 1));
        if lines.lines().all(is_sound) {
            let end = if tail.is_empty() { End::Finished } else { End::Unfinished };
            return Ok(Some(Hosts { extent, lines: lines.to_owned(), end }));
        }
    }
    move_aside(&file, "is damaged")
}

/// Writes the file whole, and returns its lines.
fn write<'a>(
    file: &Path,
    extent: Extent,
    lines: impl Iterator<Item = &'a str>,
) -> io::Result<String> {
    let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
    files::write_private(file, [extent.header(), &lines].concat().as_bytes())?;
    Ok(lines)
}

/// Moves the file aside and says so. When another process was faster, it is missing now.
fn move_aside(file: &Path, what: &str) -> Result<Option<Hosts>, Error> {
    let what = match files::move_aside(file, clock::now()) {
        Ok(aside) => format!(
            "the index of hosts {what}; it was moved to {} and is rebuilt from the keyring",
            aside.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => format!("the index of hosts {what}, and cannot be moved aside: {error}"),
    };
    Err(Error::File { file: file.to_owned(), line: 0, what })
}

/// Returns whether a line looks like one of ours. Cheap: it is asked for every line on every `get`.
fn is_sound(line: &str) -> bool {
    ["git ", "proxy "].iter().any(|kind| line.starts_with(kind)) && line.contains("://")
}

fn line(kind: Kind, origin: &Origin) -> String {
    format!("{} {origin}", kind.as_str())
}

fn has_line(lines: &str, line: &str) -> bool {
    lines.lines().any(|other| other == line)
}

fn parse(line: &str) -> Option<(Kind, Origin)> {
    let (kind, url) = line.split_once(' ')?;
    match Origin::from_url(url) {
        Ok((origin, "")) => Some((Kind::parse(kind)?, origin)),
        Ok(_) | Err(_) => None,
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("hosts")
}

const COMPLETE: &str = "gocred hosts 1\n";
const PARTIAL: &str = "gocred hosts 1 partial\n";

/// 4 MiB: some 80,000 origins.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::{path::Path, thread};

    use super::{Index, add, file, rebuild, remove};
    use crate::{
        core::{
            credential::{Entry, Key, Kind},
            origin::Origin,
        },
        sys::files,
    };

    fn origin(url: &str) -> Origin {
        Origin::from_url(url).unwrap().0
    }

    fn entry(kind: Kind, url: &str) -> Entry {
        let key = Key { kind, origin: origin(url), path: None, user: "ana".to_owned() };
        Entry { key, expires: None, stored: 1, hidden: None }
    }

    fn git(index: &Index) -> Vec<String> {
        index.origins(Kind::Git).map(Origin::to_string).collect()
    }

    #[test]
    fn what_was_added_is_there_for_its_exact_origin_and_namespace_only() {
        let state = tempfile::tempdir().unwrap();
        rebuild(state.path(), &[entry(Kind::Proxy, "http://p:8080")]).unwrap();
        add(state.path(), Kind::Git, &origin("https://h:8443")).unwrap();
        let index = Index::load(state.path()).unwrap().unwrap();
        assert!(index.has(Kind::Git, &origin("https://h:8443")));
        assert!(index.has(Kind::Proxy, &origin("http://p:8080")));
        for other in ["https://h", "https://h:443", "http://h:8443", "https://H:8443", "https://a"]
        {
            assert!(!index.has(Kind::Git, &origin(other)), "{other}");
        }
        assert!(!index.has(Kind::Git, &origin("http://p:8080")));
        assert_eq!(git(&index), ["https://h:8443"]);
    }

    #[test]
    fn an_origin_that_is_there_is_not_written_again() {
        let state = tempfile::tempdir().unwrap();
        rebuild(state.path(), &[entry(Kind::Git, "https://h")]).unwrap();
        let before = std::fs::metadata(file(state.path())).unwrap().modified().unwrap();
        add(state.path(), Kind::Git, &origin("https://h")).unwrap();
        let after = std::fs::metadata(file(state.path())).unwrap().modified().unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn an_add_without_an_index_does_not_hide_that_the_rest_is_unknown() {
        let state = tempfile::tempdir().unwrap();
        add(state.path(), Kind::Git, &origin("https://new")).unwrap();
        assert!(Index::load(state.path()).unwrap().is_none());
        rebuild(state.path(), &[entry(Kind::Git, "https://old")]).unwrap();
        let index = Index::load(state.path()).unwrap().unwrap();
        assert_eq!(git(&index), ["https://new", "https://old"]);
    }

    #[test]
    fn a_removed_origin_is_gone_and_the_others_stay() {
        let state = tempfile::tempdir().unwrap();
        remove(state.path(), Kind::Git, &origin("https://a")).unwrap();
        rebuild(state.path(), &[entry(Kind::Git, "https://a"), entry(Kind::Git, "https://b")])
            .unwrap();
        remove(state.path(), Kind::Git, &origin("https://a")).unwrap();
        assert_eq!(git(&Index::load(state.path()).unwrap().unwrap()), ["https://b"]);
    }

    #[test]
    fn an_empty_store_is_remembered_as_empty() {
        let state = tempfile::tempdir().unwrap();
        rebuild(state.path(), &[]).unwrap();
        assert_eq!(git(&Index::load(state.path()).unwrap().unwrap()), [""; 0]);
    }

    #[test]
    fn a_damaged_index_is_moved_aside_once_and_nothing_is_lost() {
        for damage in
            [&b"gocred hosts 2\n"[..], b"", b"\xff\xfe", b"gocred hosts 1\ngit https://h\nxyzzy\n"]
        {
            let state = tempfile::tempdir().unwrap();
            files::write_private(&file(state.path()), damage).unwrap();
            let error = Index::load(state.path()).unwrap_err().to_string();
            assert!(error.contains("moved to"), "{error}");
            assert!(Index::load(state.path()).unwrap().is_none());
            let aside = state.path().read_dir().unwrap().next().unwrap().unwrap().path();
            assert_eq!(std::fs::read(aside).unwrap(), damage);
        }
    }

    #[test]
    fn a_folder_or_an_oversized_file_in_its_place_is_moved_aside() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(file(state.path())).unwrap();
        Index::load(state.path()).unwrap_err();
        assert!(Index::load(state.path()).unwrap().is_none());
    }

    #[test]
    fn a_line_that_a_dying_process_left_unfinished_does_not_count_and_harms_no_other() {
        let state = tempfile::tempdir().unwrap();
        let text = b"gocred hosts 1\ngit https://a\ngit https://b";
        files::write_private(&file(state.path()), text).unwrap();
        assert_eq!(git(&Index::load(state.path()).unwrap().unwrap()), ["https://a"]);
        for url in ["https://bb", "https://c"] {
            add(state.path(), Kind::Git, &origin(url)).unwrap();
        }
        let index = Index::load(state.path()).unwrap().unwrap();
        assert_eq!(git(&index), ["https://a", "https://bb", "https://c"]);
    }

    #[test]
    fn sixty_four_parallel_adds_lose_nothing() {
        for start_with_an_index in [true, false] {
            let state = tempfile::tempdir().unwrap();
            if start_with_an_index {
                rebuild(state.path(), &[]).unwrap();
            }
            thread::scope(|scope| {
                for n in 0..64 {
                    let state: &Path = state.path();
                    scope.spawn(move || {
                        add(state, Kind::Git, &origin(&format!("https://h{n}"))).unwrap();
                        add(state, Kind::Git, &origin("https://same")).unwrap();
                    });
                }
                scope.spawn(|| rebuild(state.path(), &[entry(Kind::Git, "https://old")]).unwrap());
            });
            let index = Index::load(state.path()).unwrap().unwrap();
            assert_eq!(index.origins(Kind::Git).count(), 66);
        }
    }
}
