//! A file that is replaced as a whole, whatever happens meanwhile: a kill, a full disk, a power cut.
//!
//! It deliberately follows no symbolic link, and trusts no folder or file that another user can have
//! written: what is at stake are all secrets at once. (`sys::files::write_private` follows links, for
//! dotfiles.)

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::sys::files;

/// What unfinished files end with.
const UNFINISHED: &str = ".tmp";

/// A folder whose files only this user writes.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder; a missing one is made, 0700.
    pub fn open_or_create(path: &Path) -> io::Result<Self> {
        files::create_folder(path)?;
        Self::open(path)
    }

    /// Opens a folder, and refuses one that others may write.
    pub fn open(path: &Path) -> io::Result<Self> {
        let about = fs::metadata(path)?;
        if !about.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        check(&about, "folder", 0o022)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Returns where one of its files is.
    pub fn place(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a file of at most `limit` bytes; `Ok(None)` is a missing one. A link, a FIFO, and what
    /// others may read or write is refused.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match options().read(true).open(self.place(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(explained(error)),
        };
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file"));
        }
        check(&about, "file", 0o077)?;
        let length = usize::try_from(about.len().min(limit)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(length + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let what = format!("larger than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        Ok(Some(bytes))
    }

    /// Reads the first bytes of a file; `None` if it is shorter, or cannot be read.
    pub fn peek<const N: usize>(&self, name: &OsStr) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        options().read(true).open(self.place(name)).ok()?.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Replaces a file: a new one is written beside it and reaches the disk before it takes the name.
    /// The name itself is only sure after [`Self::sync`].
    pub fn replace(&self, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
        let unique = RandomState::new().build_hasher().finish();
        let temporary = self.place(&with(name, &format!(".{unique:016x}{UNFINISHED}")));
        let result = (|| {
            let mut file = options().write(true).create_new(true).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            fs::rename(&temporary, self.place(name))
        })();
        if result.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        result
    }

    /// Removes what a killed [`Self::replace`] left behind. Only for the holder of the lock: it would
    /// remove another one's unfinished file.
    pub fn sweep(&self, name: &OsStr) -> io::Result<()> {
        let start = with(name, ".");
        for entry in fs::read_dir(&self.path)? {
            let found = entry?.file_name();
            let is_ours = found.as_encoded_bytes().starts_with(start.as_encoded_bytes());
            if is_ours && found.as_encoded_bytes().ends_with(UNFINISHED.as_bytes()) {
                fs::remove_file(self.place(&found))?;
            }
        }
        Ok(())
    }

    /// Makes the names of its files survive a power cut.
    pub fn sync(&self) -> io::Result<()> {
        // Windows opens no folder, and keeps its names in a journal.
        if cfg!(windows) { Ok(()) } else { File::open(&self.path)?.sync_all() }
    }

    /// Opens a file that is nothing but a lock.
    pub fn lock_file(&self, name: &OsStr) -> io::Result<File> {
        options().write(true).create(true).truncate(false).open(self.place(name)).map_err(explained)
    }
}

/// Returns a name with something behind it.
pub fn with(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// Options of a file that is private and no link; a FIFO does not hang us.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.clone()
}

/// Says what the system means by "too many levels of symbolic links".
fn explained(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::LOOP) {
        return io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link");
    }
    error
}

/// Refuses what is not this user's, or what its group or everybody may do too much with.
#[cfg(unix)]
fn check(about: &fs::Metadata, what: &str, forbidden: u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let foreign = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if about.uid() != rustix::process::geteuid().as_raw() {
        return foreign(format!("the {what} belongs to another user"));
    }
    if about.mode() & forbidden != 0 {
        let verb = if forbidden & 0o044 == 0 { "write" } else { "read or write" };
        let mode = about.mode() & 0o7777;
        return foreign(format!("others may {verb} the {what} (mode {mode:04o})"));
    }
    Ok(())
}

/// Who may read a file is not asked here on this system: it is in the profile of the user.
#[cfg(not(unix))]
fn check(_about: &fs::Metadata, _what: &str, _forbidden: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test writes what it likes")]
mod tests {
    use std::{
        ffi::OsStr,
        fs,
        os::unix::fs::{PermissionsExt, symlink},
        path::Path,
    };

    use super::Folder;

    fn name() -> &'static OsStr {
        OsStr::new("vault")
    }

    fn folder() -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&temporary.path().join("a/b")).unwrap();
        (temporary, folder)
    }

    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_replaced_file_is_private_whole_and_alone() {
        let (_temporary, folder) = folder();
        assert_eq!(folder.read(name(), 9).unwrap(), None);
        folder.replace(name(), b"one").unwrap();
        folder.replace(name(), b"three").unwrap();
        folder.sync().unwrap();
        assert_eq!(folder.read(name(), 5).unwrap().as_deref(), Some(&b"three"[..]));
        assert!(folder.read(name(), 4).is_err());
        assert_eq!(folder.peek::<3>(name()), Some(*b"thr"));
        assert_eq!(folder.peek::<6>(name()), None);
        let about = folder.place(name()).metadata().unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 1);
        assert_eq!(folder.path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn links_pipes_and_what_others_may_use_are_refused() {
        let (temporary, folder) = folder();
        let target = temporary.path().join("target");
        fs::write(&target, "x").unwrap();
        symlink(&target, folder.place(name())).unwrap();
        let error = folder.read(name(), 9).unwrap_err();
        assert_eq!(error.to_string(), "it is a symbolic link");
        folder.replace(name(), b"mine").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"x");
        for mode in [0o644, 0o640, 0o602] {
            allow(&folder.place(name()), mode);
            let error = folder.read(name(), 9).unwrap_err().to_string();
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
        }
        fs::remove_file(folder.place(name())).unwrap();
        fs::create_dir(folder.place(name())).unwrap();
        assert!(folder.read(name(), 9).is_err());
        allow(&folder.path, 0o770);
        let error = Folder::open(&folder.path).unwrap_err().to_string();
        assert_eq!(error, "others may write the folder (mode 0770)");
    }

    #[test]
    fn what_a_kill_left_behind_is_swept_and_nothing_else() {
        let (_temporary, folder) = folder();
        for file in ["vault", "vault.0123456789abcdef.tmp", "vault.prev", "vault.lock", "x.tmp"] {
            fs::write(folder.place(OsStr::new(file)), "x").unwrap();
        }
        folder.sweep(name()).unwrap();
        let left = fs::read_dir(&folder.path).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["vault", "vault.lock", "vault.prev", "x.tmp"]);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let (_temporary, folder) = folder();
        fs::create_dir(folder.place(name())).unwrap();
        assert!(folder.replace(name(), b"x").is_err());
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 1);
    }
}
