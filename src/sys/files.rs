//! Private files: 0600 in 0700 folders, read with a limit, written whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Reads a file of at most `limit` bytes. `Ok(None)` is a missing file; a larger file, or one that
/// is not a regular file (a FIFO would hang us), is an error.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some((file, about)) = open(path)? else { return Ok(None) };
    read_open(file, about.len(), limit).map(Some)
}

/// Reads a file as [`read`] does, if nobody but the administrator can have written it: its owner is
/// root, and neither its group nor everybody may write it.
pub fn read_of_administrator(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some((file, about)) = open(path)? else { return Ok(None) };
    // Asked of the open file, not of its name, which may lead elsewhere a moment later.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let foreign = |what: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        if about.uid() != 0 {
            return foreign("it does not belong to root, so it is not the administrator's");
        }
        if about.mode() & 0o022 != 0 {
            return foreign("others than root may write it, so it is not the administrator's");
        }
    }
    read_open(file, about.len(), limit).map(Some)
}

/// Returns how a file is opened that shall be read: who opens a FIFO so does not wait for its writer.
pub(super) fn to_read() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options
}

fn open(path: &Path) -> io::Result<Option<(File, fs::Metadata)>> {
    let file = match to_read().open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file"));
    }
    Ok(Some((file, about)))
}

fn read_open(file: File, length: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(limit)).unwrap_or_default() + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Reads the start of a file that has as many bytes. It costs the system three calls.
pub fn read_exactly(path: &Path, into: &mut [u8]) -> io::Result<()> {
    to_read().open(path)?.read_exact(into)
}

/// What the system knows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its length, in bytes.
    pub length: u64,
    /// When it was changed, in nanoseconds since 1970-01-01 UTC; 0 is unknown.
    pub modified: u64,
    /// Where it is, if the path leads there through a symbolic link.
    pub link: Option<PathBuf>,
    /// Whether its group or everybody may read or write it.
    pub shared: bool,
}

/// Returns what the system knows of a file; `Ok(None)` is a missing one.
pub fn about(path: &Path) -> io::Result<Option<About>> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let modified = about.modified()?.duration_since(std::time::UNIX_EPOCH);
    let modified = modified.ok().and_then(|since| u64::try_from(since.as_nanos()).ok());
    let link = fs::symlink_metadata(path)?.is_symlink();
    #[cfg(unix)]
    let shared = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0;
    #[cfg(not(unix))]
    let shared = false;
    Ok(Some(About {
        length: about.len(),
        modified: modified.unwrap_or_default(),
        link: if link { Some(fs::canonicalize(path)?) } else { None },
        shared,
    }))
}

/// What is said of a file that its owner may not write.
pub const READ_ONLY: &str = "the file is read-only";

/// Says why a file of another program is not to be replaced, if something speaks against it: a new file
/// takes its place, and would have another owner, or be apart from its other names.
pub fn hindrance(path: &Path) -> io::Result<Option<&'static str>> {
    let about = fs::metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if about.uid() != rustix::process::geteuid().as_raw() {
            return Ok(Some("the file belongs to another user"));
        }
        if about.nlink() > 1 {
            return Ok(Some("the file has a second name (a hard link), which would keep it"));
        }
    }
    Ok(about.permissions().readonly().then_some(READ_ONLY))
}

/// Removes what a killed [`write_private`] left beside a file. Only for who keeps others from writing it:
/// it would remove their unfinished file.
pub fn sweep(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let start = [name.as_encoded_bytes(), b"."].concat();
    for entry in fs::read_dir(folder)? {
        let found = entry?.file_name();
        let unique = found.as_encoded_bytes().strip_prefix(start.as_slice());
        let unique = unique.and_then(|rest| rest.strip_suffix(b".tmp"));
        let is_ours =
            |unique: &[u8]| unique.len() == 16 && unique.iter().all(u8::is_ascii_hexdigit);
        if unique.is_some_and(is_ours) {
            fs::remove_file(folder.join(found))?;
        }
    }
    Ok(())
}

/// Returns standard output without a buffer, which would keep a copy of what goes through it.
#[cfg(unix)]
pub fn stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Returns standard output.
#[cfg(not(unix))]
pub fn stdout() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}

/// Returns whether standard output is a file that its group or everybody may read.
pub fn is_stdout_shared() -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = stdout()?.metadata()?;
        Ok(about.is_file() && about.mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    Ok(false)
}

/// Opens a file to append to; a new one is 0600. What is no regular file is refused: a FIFO that
/// nobody reads would hang us.
pub fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file"));
    }
    Ok(file)
}

/// Writes a file whole: a temporary file beside it, fsync, rename, fsync of the folder. The mode is
/// 0600, or that of the file that is replaced. A symbolic link is followed, so that dotfiles kept
/// elsewhere stay where they are.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    create_folder(folder)?;
    // A name of its own each time: what a crash left behind must not stop the next write.
    let unique = RandomState::new().build_hasher().finish();
    let temporary = beside(path, &format!(".{unique:016x}.tmp"));
    let result = (|| {
        let mut file = private().write(true).create_new(true).open(&temporary)?;
        if let Ok(about) = fs::metadata(path) {
            file.set_permissions(about.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Appends one record in one write, creating the file 0600.
pub fn append_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    private().append(true).create(true).open(path)?.write_all(bytes)
}

/// Sets the time of a file's last change to now, to the nanosecond: the kernel's own stamps move
/// in steps of some milliseconds.
#[expect(clippy::disallowed_methods, reason = "seconds, as `sys::clock` has them, are too coarse")]
pub fn touch(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.set_modified(std::time::SystemTime::now())
}

/// Takes the exclusive lock `<path>.lock`, waiting for whoever holds it. Dropping it releases it.
pub fn lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let file = private().write(true).create(true).truncate(false).open(beside(path, ".lock"))?;
    file.lock()?;
    Ok(file)
}

/// Removes the lock of a file that is gone. Whoever waits for it still gets it, and finds no file.
pub fn forget_lock(path: &Path) {
    let _ = fs::remove_file(beside(path, ".lock"));
}

/// Moves a file that cannot be used aside, to `<path>.damaged-<time>`, and returns the new name.
pub fn move_aside(path: &Path, now: u64) -> io::Result<PathBuf> {
    let aside = beside(path, &format!(".damaged-{now}"));
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Creates a folder and its parents, 0700 where they are new.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.clone()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{append_private, lock, read, read_of_administrator, write_private};

    #[test]
    fn a_written_file_is_private_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(read(&path, 3).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_behind_stops_no_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        append_private(&folder.path().join(format!("file.{}.tmp", std::process::id())), b"")
            .unwrap();
        write_private(&path, b"one").unwrap();
        assert_eq!(read(&path, 3).unwrap().as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write_private(&target, b"one").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_private(&link, b"two").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(read(&target, 9).unwrap().as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn what_is_too_large_or_no_file_is_an_error_and_missing_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read(&path, 9).unwrap(), None);
        append_private(&path, b"1234").unwrap();
        assert!(read(&path, 3).is_err());
        assert!(read(folder.path(), 9).is_err());
    }

    #[test]
    fn only_root_writes_for_the_administrator() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read_of_administrator(&path, 9).unwrap(), None);
        append_private(&path, b"1").unwrap();
        let is_root = rustix::process::getuid().is_root();
        assert_eq!(read_of_administrator(&path, 9).is_ok(), is_root);
        for mode in [0o622, 0o620, 0o602] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(read_of_administrator(&path, 9).is_err(), "{mode:o}");
        }
    }

    #[test]
    fn a_lock_is_released_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        drop(lock(&path).unwrap());
        drop(lock(&path).unwrap());
    }
}
