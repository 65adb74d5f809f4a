//! Secrets in a file as they are, for who says so in so many words (`--store plaintext`).
//!
//! It deliberately makes no file on its own: without the one that `login` made, nothing is read or
//! written. That it is there is told with every use.

use std::{ffi::OsStr, fmt::Write as _, io, path::PathBuf};

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        credential::{Entry, Key, Kind, Record},
        gitproto::receipt::Source,
        origin::Origin,
    },
    store::{
        Desk, Error, Saved,
        file::lock,
        item,
        whole::{Piece, Whole},
    },
    sys::durable::Folder,
};

const NAME: &str = "plaintext";
const LOCK: &str = "plaintext.lock";
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;
const HEAD: &str =
    "# Secrets in clear text, kept here by gocred as you asked (--store plaintext).\n";
/// What a record begins with.
const RECORD: &str = "[record]";

/// The file.
pub struct Plaintext {
    folder: PathBuf,
    is_told: bool,
}

impl Plaintext {
    /// Takes where it is; reads nothing.
    pub(super) fn new(desk: &Desk<'_>) -> Whole<Self> {
        Whole(Self::of(desk))
    }

    fn of(desk: &Desk<'_>) -> Self {
        let folder = desk.paths.vault.parent().unwrap_or(&desk.paths.home).to_owned();
        Self { folder, is_told: false }
    }

    /// Returns where it is.
    pub fn path(desk: &Desk<'_>) -> PathBuf {
        Self::of(desk).file()
    }

    /// Makes an empty file where there is none: somebody has asked for it.
    pub fn create(desk: &Desk<'_>) -> Result<(), Error> {
        let file = Self::of(desk);
        let folder = Folder::open_or_create(&file.folder).map_err(|error| file.wrong(&error))?;
        match folder.read(OsStr::new(NAME), MAX_FILE) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => file.write(&folder, &[]),
            Err(error) => Err(file.wrong(&error)),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    fn wrong(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::Full(format!("there is no room for {}: {error}", self.file().display()))
            }
            _ => Error::File { file: self.file(), line: 0, what: error.to_string() },
        }
    }

    fn write(&self, folder: &Folder, records: &[Record]) -> Result<(), Error> {
        let text = encode(records)?;
        folder
            .replace(OsStr::new(NAME), text.as_bytes())
            .and_then(|()| folder.sync())
            .map_err(|error| self.wrong(&error))
    }
}

impl Piece for Plaintext {
    const NAME: &'static str = "plaintext file";
    const SOURCE: Source = Source::File;

    fn read(&mut self) -> Result<Vec<Record>, Error> {
        let unasked = || {
            Error::Refused(
                "secrets are kept in clear text only once `gocred login HOST --store plaintext` was \
                 told to"
                    .to_owned(),
            )
        };
        let folder = match Folder::open(&self.folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unasked()),
            Err(error) => return Err(self.wrong(&error)),
        };
        let bytes = folder.read(OsStr::new(NAME), MAX_FILE).map_err(|error| self.wrong(&error))?;
        let bytes = Zeroizing::new(bytes.ok_or_else(unasked)?);
        let damaged = |line| Error::File {
            file: self.file(),
            line,
            what: "this is not what gocred writes there".to_owned(),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged(0))?;
        parse(text).map_err(damaged)
    }

    fn change(&mut self, change: &dyn Fn(&mut Vec<Record>) -> Saved) -> Result<Saved, Error> {
        // Nothing is made, not even a lock, where nobody has asked for it.
        self.read()?;
        let folder = Folder::open(&self.folder).map_err(|error| self.wrong(&error))?;
        let open = folder.lock_file(OsStr::new(LOCK)).map_err(|error| self.wrong(&error))?;
        let state = || std::fs::metadata(self.file()).and_then(|about| about.modified()).ok();
        let lock = lock::take(open, state).map_err(|error| self.wrong(&error))?;
        let _lock = lock.ok_or_else(|| {
            Error::Refused("another gocred writes the plaintext file, and does not end".to_owned())
        })?;
        folder.sweep(OsStr::new(NAME)).map_err(|error| self.wrong(&error))?;
        let mut records = self.read()?;
        let saved = change(&mut records);
        if saved == Saved::Written {
            self.write(&folder, &records)?;
        }
        Ok(saved)
    }

    fn damage(&mut self) -> Option<Error> {
        let is_due = !self.is_told && self.file().exists();
        self.is_told |= is_due;
        is_due.then(|| Error::InClear(self.file()))
    }
}

/// Returns the file's text. A record that its lines cannot carry is refused.
fn encode(records: &[Record]) -> Result<Zeroizing<String>, Error> {
    let refused = |error: item::Error| Error::Refused(error.to_string());
    let mut pieces = Vec::with_capacity(records.len() * 2);
    for Record { entry, secrets } in records {
        item::check(&entry.key).map_err(refused)?;
        let Entry { key, expires, stored, hidden } = entry;
        let Key { kind, origin, path, user } = key;
        let mut head =
            format!("\n{RECORD}\nkind={}\norigin={origin}\nuser={user}\n", kind.as_str());
        // Writing to a String cannot fail.
        if let Some(path) = path {
            let _ = writeln!(head, "path={path}");
        }
        let _ = writeln!(head, "stored={stored}");
        if let Some(hidden) = hidden {
            let _ = writeln!(head, "hidden={}", item::hidden_text(hidden));
        }
        pieces.push(Zeroizing::new(head));
        pieces.push(item::payload(secrets, *expires).map_err(refused)?);
    }
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + length));
    text.push_str(HEAD);
    for piece in &pieces {
        text.push_str(piece);
    }
    Ok(text)
}

/// Parses what [`encode`] returns; the error is the line, from 1.
fn parse(text: &str) -> Result<Vec<Record>, usize> {
    let mut records = Vec::new();
    let mut block: Option<(usize, Vec<&str>)> = None;
    let end = [(text.lines().count(), RECORD)];
    for (number, line) in text.lines().enumerate().chain(end) {
        match (line, &mut block) {
            (RECORD, _) => {
                if let Some((start, lines)) = block.replace((number + 1, Vec::new())) {
                    records.push(record(&lines).ok_or(start)?);
                }
            }
            ("", _) => {}
            (line, Some((_, lines))) => lines.push(line),
            (line, None) if line.starts_with('#') => {}
            (_, None) => return Err(number + 1),
        }
    }
    Ok(records)
}

fn record(lines: &[&str]) -> Option<Record> {
    let of = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let is_known = |line: &str| {
        let name = line.split_once('=').map_or("", |(name, _)| name);
        ["hidden", "kind", "origin", "path", "stored", "user"].contains(&name)
    };
    let length = lines.iter().map(|line| line.len() + 1).sum();
    let mut payload = Zeroizing::new(String::with_capacity(length));
    for line in lines.iter().filter(|line| !is_known(line)) {
        payload.push_str(line);
        payload.push('\n');
    }
    let (secrets, expires) = item::secrets(payload.as_bytes()).ok()?;
    let key = Key {
        kind: Kind::parse(of("kind")?)?,
        origin: Origin::from_url(of("origin")?).ok()?.0,
        path: of("path").map(str::to_owned),
        user: of("user")?.to_owned(),
    };
    let hidden = of("hidden").map(item::hidden);
    let stored = of("stored")?.parse().ok()?;
    Some(Record { entry: Entry { key, expires, stored, hidden }, secrets })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test damages files")]
mod tests {
    use super::{Plaintext, encode, parse};
    use crate::{
        core::{
            config::Config,
            credential::{Entry, Hidden, Key, Kind, Proof, Query, Record, Secrets},
            origin::Origin,
        },
        store::{Desk, Error, Saved, Store},
        sys::{env::Env, paths::Paths},
    };

    fn record(user: &str) -> Record {
        let origin = Origin::new("https", "h:8443").unwrap();
        let key = Key { kind: Kind::Git, origin, path: Some("team/lib".into()), user: user.into() };
        let hidden = Some(Hidden { at: 8, by: "git erase".into() });
        let entry = Entry { key, expires: Some(99), stored: 7, hidden };
        let credential = "t0ken=".into();
        let proof = Proof::Encoded { authtype: "Bearer".into(), credential };
        Record { entry, secrets: Secrets { refresh_token: Some("r".into()), ..Secrets::of(proof) } }
    }

    #[test]
    fn what_is_written_is_what_is_read_and_a_person_can_read_it() {
        let text = encode(&[record("ana"), record("")]).unwrap();
        let read = parse(&text).unwrap();
        assert_eq!(read.len(), 2);
        for (read, user) in read.iter().zip(["ana", ""]) {
            assert_eq!(read.entry, record(user).entry);
            assert!(read.secrets.proof.same(&record(user).secrets.proof));
        }
        assert!(
            text.starts_with("# Secrets in clear text") && text.contains("credential=t0ken=\n")
        );
        assert!(encode(&[record("a\npassword=x")]).is_err());
        for (text, line) in [("x\n", 1), ("# a\n\n[record]\nkind=git\n", 3)] {
            assert_eq!(parse(text).err(), Some(line));
        }
    }

    #[test]
    fn without_the_file_that_was_asked_for_nothing_is_read_or_made() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::of(&[("HOME", home.path().to_str().unwrap())]);
        let (paths, config) = (Paths::resolve(&env).unwrap(), Config::default());
        let desk = Desk { env: &env, paths: &paths, config: &config };
        let mut store = Plaintext::new(&desk);
        let all = Query::all(Kind::Git);
        assert!(matches!(store.find(&all), Err(Error::Refused(_))));
        assert!(matches!(store.save(&record("ana")), Err(Error::Refused(_))));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        Plaintext::create(&desk).unwrap();
        assert_eq!(store.save(&record("ana")), Ok(Saved::Written));
        assert_eq!(store.find(&all).unwrap().len(), 1);
        assert!(matches!(store.damage(), Some(Error::InClear(_))));
        assert_eq!(store.damage(), None);
        std::fs::write(Plaintext::path(&desk), "rubbish").unwrap();
        assert_eq!(store.find(&all).unwrap_err().code(), "K08");
        assert_eq!(store.save(&record("ana")).unwrap_err().code(), "K08");
    }
}
