//! The encrypted file as a store: read whole, changed under a lock, written whole.
//!
//! A reader takes no lock, because a file is replaced by one `rename`. A writer holds `vault.lock` and
//! reads anew first, so that 64 of them lose nothing. What was there before is kept as `vault.prev`.

pub(super) mod lock;
mod place;
mod recover;
mod seen;

use std::{fs::File, path::PathBuf};

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Query, Record},
        gitproto::receipt::Source,
        secret::SecretString,
        vault::{
            Malformed, SealKey, body,
            format::{self, Header, Id, Sealed},
            wrap::{self, Kind, Wrap},
        },
    },
    store::{
        Desk, Error, Saved, Store,
        file::place::Place,
        keys::{self, Keys, NewKey, no_random},
        whole,
    },
    sys::random,
};

/// The encrypted file.
pub struct FileStore {
    place: Place,
    keys: Keys,
    /// The key that opened it last, and the file that it opened.
    key: Option<(Id, SealKey)>,
    damage: Option<Error>,
}

/// How it is with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none, and a passphrase for a new one is at hand.
    Creatable,
    /// There is none, and nothing to make one of.
    Missing,
    /// A key is at hand.
    Open,
    /// It wants a key.
    Closed,
}

/// What anybody can read of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// How often it was written.
    pub generation: u64,
    /// What opens it, each with its kind and its name.
    pub keys: Vec<(&'static str, String)>,
}

impl About {
    fn of(header: Header) -> Self {
        let key = |wrap: Wrap| (wrap.label.kind.as_str(), wrap.label.name);
        let keys = header.wraps.into_iter().map(key).collect();
        Self { generation: header.generation, keys }
    }
}

/// Whether the caller holds the lock of the writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Free,
    Held,
}

/// What was read, and opened.
struct Opened {
    header: Header,
    records: Vec<Record>,
    /// The file as it was.
    bytes: Vec<u8>,
}

impl FileStore {
    /// Takes what is at hand; reads nothing.
    pub fn new(desk: &Desk<'_>) -> Self {
        Self { place: Place::of(desk), keys: Keys::new(desk), key: None, damage: None }
    }

    /// Takes the passphrase that a person typed.
    #[must_use]
    pub fn typed(mut self, passphrase: SecretString) -> Self {
        self.keys.typed(passphrase);
        self
    }

    /// Returns how it is with the file, without making one.
    pub fn standing(&mut self) -> Result<Standing, Error> {
        match self.read(Lock::Free) {
            Ok(Some(_)) => Ok(Standing::Open),
            Ok(None) if self.keys.can_wrap()? => Ok(Standing::Creatable),
            Ok(None) => Ok(Standing::Missing),
            Err(Error::NotOpen { .. }) => Ok(Standing::Closed),
            Err(error) => Err(error),
        }
    }

    /// Makes an empty file, where there is none.
    pub fn create(&mut self) -> Result<(), Error> {
        self.change(true, |_| Saved::Unchanged).map(drop)
    }

    /// Lets later processes open the file without asking, as the configuration has it.
    pub fn remember(&self) {
        if let Some((id, key)) = &self.key {
            self.keys.remember(id, key);
        }
    }

    /// Takes the key back that [`Self::remember`] gave the kernel.
    pub fn forget(&self) {
        if let Some(id) = self.place.id() {
            Keys::forget(&id);
        }
    }

    /// Returns what can be told of the file without a key. `None`: there is none.
    pub fn about(&self) -> Result<Option<About>, Error> {
        let Some(bytes) = self.place.read()? else { return Ok(None) };
        match Sealed::parse(&bytes) {
            Ok(sealed) => Ok(Some(About::of(sealed.header))),
            Err(Malformed::Newer) => Err(newer()),
            Err(error @ Malformed::Damaged(_)) => {
                Err(Error::File { file: self.place.path(), line: 0, what: error.to_string() })
            }
        }
    }

    /// Returns the SSH keys of the user that could open a new file, by comment.
    pub fn ssh_keys(&self) -> Result<Vec<String>, Error> {
        self.keys.ssh()
    }

    /// Returns where it is.
    pub fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// Reads and opens the file. `None`: there is none.
    fn read(&mut self, lock: Lock) -> Result<Option<Opened>, Error> {
        // Before the file, which another process may replace meanwhile.
        let seen = self.place.seen();
        let Some(bytes) = self.place.read()? else {
            let is_lost = self.place.has_previous();
            return if is_lost { self.recover("it is missing", lock) } else { Ok(None) };
        };
        match self.open(bytes)? {
            Content::Opened(opened) => {
                let Header { generation: found, id, .. } = &opened.header;
                let (seen, found) = (seen.generation(id), *found);
                if found < seen {
                    self.damage.get_or_insert(Error::Rollback { seen, found });
                }
                Ok(Some(opened))
            }
            Content::Damaged(what) => self.recover(what, lock),
        }
    }

    /// Opens the bytes of a file. Damage is told from a key that is not its own: only where a key of
    /// the file itself does not open its body, the body is damaged.
    fn open(&mut self, bytes: Vec<u8>) -> Result<Content, Error> {
        let sealed = match Sealed::parse(&bytes) {
            Ok(sealed) => sealed,
            Err(Malformed::Damaged(what)) => return Ok(Content::Damaged(what)),
            Err(Malformed::Newer) => return Err(newer()),
        };
        let known = self.key_of(&sealed.header).and_then(|key| sealed.open(key));
        let body = if let Some(body) = known {
            body
        } else {
            let key = match self.keys.find(&sealed.header) {
                Ok(key) => key,
                Err(error) => return self.is_damaged(&sealed, error),
            };
            let body = sealed.open(&key);
            self.key = Some((sealed.header.id, key));
            let Some(body) = body else { return Ok(Content::Damaged("its seal is broken")) };
            body
        };
        let header = sealed.header.clone();
        match body::parse(&body) {
            Ok(records) => Ok(Content::Opened(Opened { header, records, bytes })),
            Err(Malformed::Damaged(what)) => Ok(Content::Damaged(what)),
            Err(Malformed::Newer) => Err(newer()),
        }
    }

    fn key_of(&self, header: &Header) -> Option<&SealKey> {
        self.key.as_ref().filter(|(id, _)| *id == header.id).map(|(_, key)| key)
    }

    /// Changes the records under the lock, if `change` says that it did. `create` makes the file where
    /// there is none.
    fn change(
        &mut self,
        create: bool,
        change: impl Fn(&mut Vec<Record>) -> Saved,
    ) -> Result<Saved, Error> {
        let first = create.then_some(&NewKey::Passphrase);
        self.rewrite(first, |_, records| change(records))
    }

    /// Changes what opens the file, and its records. `first` opens it where it is made.
    fn rewrite(
        &mut self,
        first: Option<&NewKey>,
        change: impl Fn(&mut Vec<Wrap>, &mut Vec<Record>) -> Saved,
    ) -> Result<Saved, Error> {
        // Nothing is locked where nothing changes.
        let is_needed = match self.read(Lock::Free)? {
            Some(Opened { mut header, mut records, bytes: _ }) => {
                change(&mut header.wraps, &mut records) == Saved::Written
            }
            None => first.is_some(),
        };
        if !is_needed {
            return Ok(Saved::Unchanged);
        }
        let lock = self.lock()?;
        let (mut header, mut records, previous) = match (self.read(Lock::Held)?, first) {
            (Some(Opened { header, records, bytes }), _) => (header, records, Some(bytes)),
            (None, Some(first)) => (self.begin(first)?, Vec::new(), None),
            (None, None) => return Ok(Saved::Unchanged),
        };
        if change(&mut header.wraps, &mut records) == Saved::Unchanged && previous.is_some() {
            return Ok(Saved::Unchanged);
        }
        header.generation = self.place.next_generation(&header);
        header.nonce = random::bytes().map_err(|error| no_random(&error))?;
        let key = self.key_of(&header).ok_or_else(keys::not_open)?;
        let refused = |error: Malformed| Error::Full(format!("the encrypted file: {error}"));
        let bytes = format::encode(&header, key, body::encode(&records)).map_err(refused)?;
        self.place.write(&header, &bytes, previous.as_deref())?;
        drop(lock);
        Ok(Saved::Written)
    }

    /// Takes the lock. What a passphrase costs is paid before, or 64 writers would wait for each
    /// other's.
    fn lock(&mut self) -> Result<File, Error> {
        let lock = self.place.lock()?;
        match self.place.id() {
            Some(id) if self.key.as_ref().is_none_or(|(known, _)| *known != id) => {
                drop(lock);
                self.read(Lock::Free)?;
                self.place.lock()
            }
            Some(_) | None => Ok(lock),
        }
    }

    /// Begins a new file.
    fn begin(&mut self, first: &NewKey) -> Result<Header, Error> {
        let id = random::bytes().map_err(|error| no_random(&error))?;
        let key = SealKey::filled(|key| random::fill(key)).map_err(|error| no_random(&error))?;
        let wraps = vec![self.keys.wrap(first, &id, &key)?];
        self.key = Some((id, key));
        Ok(Header { generation: 0, id, nonce: [0; 24], wraps })
    }

    /// Lets something else open the file, too; where there is none, it is made. A passphrase takes the
    /// place of the one before.
    pub fn add_key(&mut self, new: &NewKey) -> Result<(), Error> {
        let Some(opened) = self.read(Lock::Free)? else {
            return self.rewrite(Some(new), |_, _| Saved::Unchanged).map(drop);
        };
        let (name, wraps) = (new.name(), &opened.header.wraps);
        let replaces = *new == NewKey::Passphrase;
        let is_taken = wraps.iter().any(|wrap| wrap.label.name == name);
        if is_taken && !replaces {
            return Err(Error::Refused(format!("a key `{name}` opens the file already")));
        }
        if wraps.len() >= wrap::MAX && !is_taken {
            return Err(Error::Refused(format!("no more than {} keys open a file", wrap::MAX)));
        }
        let key = self.key_of(&opened.header).ok_or_else(keys::not_open)?;
        let wrap = self.keys.wrap(new, &opened.header.id, key)?;
        self.rewrite(None, |wraps, _| {
            wraps.retain(|old| old.label.name != name);
            wraps.push(wrap.clone());
            Saved::Written
        })?;
        if is_taken { self.write_again() } else { Ok(()) }
    }

    /// Writes once more what is there, so that the generation before is the same.
    fn write_again(&mut self) -> Result<(), Error> {
        self.rewrite(None, |_, _| Saved::Written).map(drop)
    }

    /// Keeps something from opening the file, and the generation before. The last one stays. Returns
    /// whether it was there.
    pub fn remove_key(&mut self, name: &str) -> Result<bool, Error> {
        let is_it = |wrap: &Wrap| wrap.label.name == name;
        let saved = self.rewrite(None, |wraps, _| {
            if wraps.len() < 2 || !wraps.iter().any(is_it) {
                return Saved::Unchanged;
            }
            wraps.retain(|wrap| !is_it(wrap));
            Saved::Written
        })?;
        if saved == Saved::Written {
            self.write_again()?;
            let is_left = self.about()?.is_some_and(|about| {
                about.keys.iter().any(|(kind, _)| *kind == Kind::Keyring.as_str())
            });
            if let (Some(id), false) = (self.place.id(), is_left) {
                self.keys.discard(&id);
            }
        }
        Ok(saved == Saved::Written)
    }
}

/// What the bytes of a file are.
enum Content {
    Opened(Opened),
    Damaged(&'static str),
}

fn newer() -> Error {
    Error::ReadOnly("the encrypted file was written by a newer gocred; update this one")
}

impl Store for FileStore {
    fn name(&self) -> &'static str {
        keys::STORE
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        let records = self.find(query)?;
        Ok(records.into_iter().map(|record| record.entry).collect())
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let mut records = self.read(Lock::Free)?.map(|opened| opened.records).unwrap_or_default();
        records.retain(|record| query.matches(&record.entry.key));
        Ok(records)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        self.change(true, |records| whole::save(records, record))
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        self.change(false, |records| whole::mark(records, key, hidden)).map(drop)
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.change(false, |records| whole::remove(records, key)).map(drop)
    }

    fn source(&self) -> Source {
        Source::File
    }

    fn damage(&mut self) -> Option<Error> {
        self.damage.take()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test damages files")]
mod tests;
