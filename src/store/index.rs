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
    io, iter,
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
    lines: Lines,
    parsed: OnceCell<Vec<(Kind, Origin)>>,
}

impl Index {
    /// Reads the index of a state folder. `Ok(None)` is a missing or partial one. An unreadable or
    /// damaged file is moved aside first and is the error; the next call finds it missing.
    pub fn load(state: &Path) -> Result<Option<Self>, Error> {
        let hosts = read(state)?.filter(|hosts| hosts.extent == Extent::Complete);
        Ok(hosts.map(|hosts| Self::of(hosts.lines)))
    }

    fn of(lines: Lines) -> Self {
        Self { lines, parsed: OnceCell::new() }
    }

    /// Returns whether something is stored for an origin.
    pub fn has(&self, kind: Kind, origin: &Origin) -> bool {
        self.lines.has(&line(kind, origin))
    }

    /// Returns the origins of a namespace, in the order in which they came.
    pub fn origins(&self, kind: Kind) -> impl Iterator<Item = &Origin> {
        let parsed = self.parsed.get_or_init(|| self.lines.iter().filter_map(parse).collect());
        parsed.iter().filter(move |(of, _)| *of == kind).map(|(_, origin)| origin)
    }
}

/// Returns whether something was ever stored. A file that cannot be read counts, and is left to who
/// reads it next.
#[cfg(feature = "full")]
pub fn is_used(state: &Path) -> bool {
    let hosts = parse_file(&file(state));
    hosts.map_or(true, |hosts| hosts.is_some_and(|hosts| hosts.lines.iter().next().is_some()))
}

/// Adds an origin; when it is there, nothing is written. Call it after the store took the secret.
pub fn add(state: &Path, kind: Kind, origin: &Origin) -> Result<(), Error> {
    let new = line(kind, origin);
    if read(state)?.is_some_and(|hosts| hosts.lines.has(&new)) {
        return Ok(());
    }
    locked(state, |file, hosts| match hosts {
        None => write(file, Extent::Partial, iter::once(new.as_str())).map(drop),
        Some(hosts) if hosts.lines.has(&new) => Ok(()),
        Some(Hosts { extent, lines, end: End::Unfinished }) => {
            write(file, extent, lines.iter().chain([new.as_str()])).map(drop)
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
        Some(Hosts { extent, lines, end: _ }) if lines.has(&old) => {
            write(file, extent, lines.iter().filter(|line| *line != old)).map(drop)
        }
        Some(_) | None => Ok(()),
    })
}

/// Writes the index anew from what a store lists, and keeps what was added meanwhile.
pub fn rebuild(state: &Path, entries: &[Entry]) -> Result<Index, Error> {
    locked(state, |file, hosts| {
        let found = entries.iter().map(|entry| line(entry.key.kind, &entry.key.origin));
        let mut all: BTreeSet<String> = found.collect();
        if let Some(hosts) = hosts {
            all.extend(hosts.lines.iter().map(str::to_owned));
        }
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
            let lines: Vec<String> =
                entries.iter().map(|entry| line(entry.key.kind, &entry.key.origin)).collect();
            (Index::of(Lines::of(lines.iter().map(String::as_str))), Some(error))
        }
    })
}

/// The lines of the file, as one text in which a line feed stands before and after each: 5,000 of
/// them cost 0.1 ms with the reading, and parsing them would cost more than the whole question.
#[derive(Clone, Debug)]
struct Lines(String);

impl Lines {
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut text = String::from("\n");
        text.extend(lines.flat_map(|line| [line, "\n"]));
        Self(text)
    }

    fn has(&self, line: &str) -> bool {
        self.0.contains(&format!("\n{line}\n"))
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.lines().skip(1)
    }
}

/// Returns when the index last changed, in nanoseconds since 1970-01-01 UTC. `None`: there is none.
pub fn stamp(state: &Path) -> Option<u64> {
    files::about(&file(state)).ok()?.map(|about| about.modified)
}

/// Changes the [`stamp`] of the index, and nothing else of it.
pub fn touch(state: &Path) -> Result<(), Error> {
    locked(state, |file, hosts| match hosts {
        Some(_) => files::touch(file),
        None => Ok(()),
    })
}

/// The file as it was found.
struct Hosts {
    extent: Extent,
    /// The finished lines after the header.
    lines: Lines,
    end: End,
}

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Complete,
    Partial,
}

impl Extent {
    fn header(self) -> &'static str {
        match self {
            Self::Complete => "gocred hosts 1",
            Self::Partial => "gocred hosts 1 partial",
        }
    }
}

/// How the last line ends. One without line feed is of a process that died; it does not count.
#[derive(Clone, Copy)]
enum End {
    Finished,
    Unfinished,
}

/// Changes the file under its lock. What cannot be used is moved aside here and nowhere else: without
/// the lock it may be somebody's unfinished write.
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
    let hosts = parse_file(&file).or_else(|what| move_aside(&file, &what))?;
    change(&file, hosts).map_err(trouble)
}

/// Reads the file without its lock, and only where that fails with it.
fn read(state: &Path) -> Result<Option<Hosts>, Error> {
    parse_file(&file(state)).or_else(|_| locked(state, |_, hosts| Ok(hosts)))
}

/// Reads the file, or says what is wrong with it.
fn parse_file(file: &Path) -> Result<Option<Hosts>, String> {
    let bytes = match files::read(file, MAX_SIZE) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut text = String::from_utf8(bytes).map_err(|_| "is damaged: it is not UTF-8")?;
    // What a file system leaves behind after a power cut.
    if text.contains('\0') {
        return Err("is damaged: it holds a NUL byte".to_owned());
    }
    let extent = [Extent::Complete, Extent::Partial].into_iter().find(|extent| {
        text.strip_prefix(extent.header()).is_some_and(|rest| rest.starts_with('\n'))
    });
    let extent = extent.ok_or("is damaged: its first line is not ours")?;
    let end = if text.ends_with('\n') { End::Finished } else { End::Unfinished };
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text.drain(..extent.header().len());
    Ok(Some(Hosts { extent, lines: Lines(text), end }))
}

/// Writes the file whole, and returns its lines.
fn write<'a>(
    file: &Path,
    extent: Extent,
    lines: impl Iterator<Item = &'a str>,
) -> io::Result<Lines> {
    let lines = Lines::of(lines);
    files::write_private(file, [extent.header(), &lines.0].concat().as_bytes())?;
    Ok(lines)
}

/// Moves the file aside and says so.
fn move_aside(file: &Path, what: &str) -> Result<Option<Hosts>, Error> {
    let what = match files::move_aside(file, clock::now()) {
        Ok(aside) => format!(
            "the index of hosts {what}; it was moved to {} and is rebuilt from the keyring",
            aside.display()
        ),
        Err(error) => format!("the index of hosts {what}, and cannot be moved aside: {error}"),
    };
    Err(Error::File { file: file.to_owned(), line: 0, what })
}

fn line(kind: Kind, origin: &Origin) -> String {
    format!("{} {origin}", kind.as_str())
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
        for damage in [
            &b"gocred hosts 2\n"[..],
            b"",
            b"\xff\xfe",
            b"gocred hosts 1\ngit https://h\0\n",
            b"gocred hosts 12\n",
        ] {
            let state = tempfile::tempdir().unwrap();
            files::write_private(&file(state.path()), damage).unwrap();
            let error = Index::load(state.path()).unwrap_err().to_string();
            assert!(error.contains("moved to"), "{error}");
            assert!(Index::load(state.path()).unwrap().is_none());
            let mut names = state.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
            let aside = names.find(|path| path.to_str().unwrap().contains(".damaged-")).unwrap();
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
        for start_with_an_index in [true, false].repeat(4) {
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
