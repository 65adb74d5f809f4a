//! Where the encrypted file is, and how it is read and replaced there.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{
    core::vault::format::{self, Header, Id, MAX_FILE, PEEK},
    store::{
        Desk, Error,
        file::{
            lock,
            seen::{self, Seen},
        },
    },
    sys::{
        durable::{Folder, with},
        files,
    },
};

/// A folder and a name in it.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    name: OsString,
    /// The state folder.
    state: PathBuf,
}

impl Place {
    pub(super) fn of(desk: &Desk<'_>) -> Self {
        let path = desk.config.store.file.as_ref().unwrap_or(&desk.paths.vault);
        let name = path.file_name().unwrap_or_else(|| OsStr::new("vault")).to_owned();
        let folder = path.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        Self { folder, name, state: desk.paths.state.clone() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The generation before.
    fn previous(&self) -> OsString {
        with(&self.name, ".prev")
    }

    /// Returns the id of the file that is there.
    pub(super) fn id(&self) -> Option<Id> {
        let start = Folder::open(&self.folder).ok()?.peek::<PEEK>(&self.name)?;
        format::peek(&start).map(|(_, id)| id)
    }

    pub(super) fn has_previous(&self) -> bool {
        self.folder.join(self.previous()).symlink_metadata().is_ok()
    }

    /// Reads the file. `None`: there is none.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        self.read_as(&self.name)
    }

    /// Reads the generation before.
    pub(super) fn read_previous(&self) -> Result<Option<Vec<u8>>, Error> {
        self.read_as(&self.previous())
    }

    fn read_as(&self, name: &OsStr) -> Result<Option<Vec<u8>>, Error> {
        let folder = match Folder::open(&self.folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file(&self.folder, &error)),
        };
        folder.read(name, MAX_FILE).map_err(|error| file(&self.folder.join(name), &error))
    }

    /// Takes the lock, and cleans up after who was killed with it.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let folder =
            Folder::open_or_create(&self.folder).map_err(|error| self.unwritten(&error))?;
        let open = folder.lock_file(&with(&self.name, ".lock"));
        let open = open.map_err(|error| self.unwritten(&error))?;
        let generation = || {
            folder
                .peek::<PEEK>(&self.name)
                .and_then(|start| format::peek(&start))
                .unwrap_or_default()
        };
        let taken = lock::take(open, generation).map_err(|error| self.unwritten(&error))?;
        let lock = taken.ok_or_else(|| {
            Error::Refused("another gocred writes the encrypted file, and does not end".to_owned())
        })?;
        folder.sweep(&self.name).map_err(|error| self.unwritten(&error))?;
        Ok(lock)
    }

    /// Replaces the file; `previous` is what it was. The caller holds the lock.
    pub(super) fn write(
        &self,
        header: &Header,
        bytes: &[u8],
        previous: Option<&[u8]>,
    ) -> Result<(), Error> {
        let folder = Folder::open(&self.folder).map_err(|error| self.unwritten(&error))?;
        (|| {
            if let Some(previous) = previous {
                folder.replace(&self.previous(), previous)?;
            }
            folder.replace(&self.name, bytes)?;
            folder.sync()
        })()
        .map_err(|error| self.unwritten(&error))?;
        seen::remember(&self.state, header);
        Ok(())
    }

    /// Puts the generation before in the place of a damaged file, which is moved aside. Returns where
    /// that is now. The caller holds the lock.
    pub(super) fn put_back(&self, previous: &[u8], now: u64) -> Result<Option<PathBuf>, Error> {
        let unwritten = |error: io::Error| self.unwritten(&error);
        let folder = Folder::open(&self.folder).map_err(unwritten)?;
        let aside = match files::move_aside(&self.path(), now) {
            Ok(aside) => Some(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unwritten(error)),
        };
        folder.replace(&self.name, previous).map_err(unwritten)?;
        folder.sync().map_err(unwritten)?;
        Ok(aside)
    }

    /// Returns the generation of the next write: one that no file of this id has had.
    pub(super) fn next_generation(&self, header: &Header) -> u64 {
        header.generation.max(self.seen().generation(&header.id)) + 1
    }

    /// Returns the generations that were seen until now.
    pub(super) fn seen(&self) -> Seen {
        seen::read(&self.state)
    }

    fn unwritten(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let folder = self.folder.display();
                Error::Full(format!("there is no room for the encrypted file in {folder}: {error}"))
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                Error::ReadOnly("the encrypted file is on a read-only file system")
            }
            _ => file(&self.path(), error),
        }
    }
}

fn file(path: &Path, error: &io::Error) -> Error {
    Error::File { file: path.to_owned(), line: 0, what: error.to_string() }
}
