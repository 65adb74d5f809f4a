//! The kernel's keyring as a store: in no file, never swapped, and gone after its time or a restart.
//!
//! All records are one key, because the kernel counts keys and bytes of each user. A record ends with
//! its own time, also where a later one keeps the key alive.

use std::{ffi::OsStr, io, path::PathBuf, time::Duration};

use hmac_sha256::Hash;

use crate::{
    core::{credential::Record, gitproto::receipt::Source, vault::body},
    store::{Desk, Error, Saved, file::lock, whole::Piece},
    sys::{clock, durable::Folder, kernel_keys},
};

/// The longest key of this kind (`user-keyring(7)`), in bytes.
const MAX: usize = 32_767;

/// The records of one user and home.
pub(super) struct Kernel {
    name: String,
    state: PathBuf,
    lifetime: Duration,
}

impl Kernel {
    /// Takes what it is called; asks the kernel for nothing.
    pub(super) fn new(desk: &Desk<'_>) -> Self {
        let state = &desk.paths.state;
        // The keyring is the user's, and a user may have several homes.
        let hash = Hash::hash(state.as_os_str().as_encoded_bytes());
        let number = hash.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
        Self {
            name: format!("gocred:store:{number:016x}"),
            state: state.clone(),
            lifetime: desk.config.store.lifetime(),
        }
    }
}

impl Piece for Kernel {
    const NAME: &'static str = "kernel keyring";
    const SOURCE: Source = Source::Keyring;

    fn read(&mut self) -> Result<Vec<Record>, Error> {
        let Some(bytes) = kernel_keys::get(&self.name).map_err(|error| refused(&error))? else {
            return Ok(Vec::new());
        };
        let mut records = body::parse(&bytes)
            .map_err(|error| Error::Damaged(format!("the key {}: {error}", self.name)))?;
        let now = clock::now();
        records.retain(|record| record.entry.stored + self.lifetime.as_secs() > now);
        Ok(records)
    }

    fn change(&mut self, change: &dyn Fn(&mut Vec<Record>) -> Saved) -> Result<Saved, Error> {
        let file = |error: io::Error| Error::File {
            file: self.state.join("kernel.lock"),
            line: 0,
            what: error.to_string(),
        };
        let folder = Folder::open_or_create(&self.state).map_err(file)?;
        let open = folder.lock_file(OsStr::new("kernel.lock")).map_err(file)?;
        let _lock = lock::take(open, || ()).map_err(file)?.ok_or_else(|| {
            Error::Refused("another gocred writes the kernel's keyring, and does not end".into())
        })?;
        let mut records = self.read()?;
        if change(&mut records) == Saved::Unchanged {
            return Ok(Saved::Unchanged);
        }
        if records.is_empty() {
            kernel_keys::remove(&self.name).map_err(|error| refused(&error))?;
            return Ok(Saved::Written);
        }
        let bytes = body::encode(&records);
        if bytes.len() > MAX {
            let what = "the kernel's keyring has room for 32 KiB; `--store file` has more";
            return Err(Error::Full(what.to_owned()));
        }
        kernel_keys::put(&self.name, &bytes, self.lifetime).map_err(|error| refused(&error))?;
        Ok(Saved::Written)
    }
}

fn refused(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::QuotaExceeded => Error::Full(format!("{error} (/proc/key-users)")),
        _ => Error::Refused(error.to_string()),
    }
}
