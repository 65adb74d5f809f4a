//! Replaces a file of another program whole, and keeps everything else that is known of it: its mode, its group,
//! its extended attributes (and with them its access list). What cannot be kept is an error, and the file is as
//! it was.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, Write as _},
    path::Path,
};

use crate::sys::files;

/// Writes a file: a new one beside it, which takes its place. A symbolic link is followed. What is not there yet
/// is made as [`files::write_private`] does.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if !path.exists() {
        return files::write_private(path, bytes);
    }
    let path = &fs::canonicalize(path)?;
    let about = fs::metadata(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    // A name of its own each time: what a crash left behind must not stop the next write.
    let unique = RandomState::new().build_hasher().finish();
    let mut name = path.as_os_str().to_owned();
    name.push(OsString::from(format!(".{unique:016x}.tmp")));
    let temporary = Path::new(&name);
    let result = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(temporary)?;
        group(&file, &about)?;
        file.set_permissions(about.permissions())?;
        // Behind the mode, which would change the mask of the list.
        attributes(path, &file)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if result.is_err() {
        let _ = fs::remove_file(temporary);
    }
    result
}

#[cfg(unix)]
fn group(file: &File, about: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if file.metadata()?.gid() == about.gid() {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, None, Some(about.gid()))
}

#[cfg(not(unix))]
fn group(_file: &File, _about: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Copies the extended attributes. The system's label of a file is made by the system.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn attributes(from: &Path, to: &File) -> io::Result<()> {
    use std::{ffi::CString, os::unix::ffi::OsStringExt as _};

    use rustix::{
        fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr},
        io::Errno,
    };
    /// An attribute is at most this large (xattr(7)).
    const MOST: usize = 64 * 1024;
    let source = File::open(from)?;
    let mut names = vec![0_u8; MOST];
    let length = match flistxattr(&source, &mut names) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    names.truncate(length);
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if name.starts_with(b"security.") {
            continue;
        }
        let name = CString::new(OsString::from_vec(name.to_vec()).into_vec())?;
        let mut value = vec![0_u8; MOST];
        let length = fgetxattr(&source, name.as_c_str(), &mut value)?;
        value.truncate(length);
        fsetxattr(to, name.as_c_str(), &value, XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn attributes(_from: &Path, _to: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    };

    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

    use super::replace;

    #[test]
    fn everything_but_the_bytes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        crate::sys::files::write_private(&file, b"old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            chown(&file, None, Some(4321)).unwrap();
        }
        let open = File::open(&file).unwrap();
        // Not every file system has them.
        let has_attributes =
            fsetxattr(&open, c"user.gocred-test", b"kept", XattrFlags::empty()).is_ok();
        symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        let about = file.metadata().unwrap();
        assert_eq!(about.mode() & 0o7777, 0o640);
        assert!(!is_root || about.gid() == 4321);
        if has_attributes {
            let mut value = vec![0; 16];
            let length =
                fgetxattr(File::open(&file).unwrap(), c"user.gocred-test", &mut value).unwrap();
            assert_eq!(&value[..length], b"kept");
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
    }

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new");
        replace(&file, b"x").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    }
}
