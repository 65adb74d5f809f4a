//! A file that holds one secret, such as a passphrase that an administrator or systemd put there.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use secrecy::zeroize::Zeroizing;

use crate::{core::secret::SecretString, sys::files};

/// A longer one is a mistake, in bytes.
const MAX: usize = 4096;

/// Reads it, without one newline at the end. `Ok(None)` is a missing file. It must be this user's or
/// root's, and nobody else's to read or write; a group may read it, as Kubernetes mounts secrets.
pub fn read(path: &Path) -> io::Result<Option<SecretString>> {
    let file = match files::to_read().open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    check(&file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 1));
    file.take(MAX as u64 + 1).read_to_end(&mut bytes)?;
    let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    if bytes.len() > MAX {
        return wrong("it is longer than 4096 bytes");
    }
    let Ok(text) = std::str::from_utf8(&bytes) else { return wrong("it is not UTF-8") };
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return wrong("it is empty");
    }
    Ok(Some(SecretString::from(text)))
}

fn check(file: &File) -> io::Result<()> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let foreign = |what| Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        if about.uid() != 0 && about.uid() != rustix::process::geteuid().as_raw() {
            return foreign("it belongs to another user".to_owned());
        }
        if about.mode() & 0o027 != 0 {
            let mode = about.mode() & 0o7777;
            return foreign(format!("others may read or write it (mode {mode:04o})"));
        }
    }
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test writes what it likes")]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        path::PathBuf,
    };

    use super::read;
    use crate::core::secret::ExposeSecret;

    fn file(folder: &tempfile::TempDir, text: &[u8], mode: u32) -> PathBuf {
        let path = folder.path().join("passphrase");
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn one_newline_at_the_end_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        for (text, secret) in [("a b\n", "a b"), ("a", "a"), ("a\r\n", "a"), ("a\n\n", "a\n")] {
            let path = file(&folder, text.as_bytes(), 0o600);
            assert_eq!(read(&path).unwrap().unwrap().expose_secret(), secret);
        }
        assert!(read(&folder.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn what_others_may_use_and_what_is_no_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o604, 0o620, 0o602, 0o644] {
            assert!(read(&file(&folder, b"a", mode)).is_err(), "{mode:o}");
        }
        assert!(read(&file(&folder, b"a", 0o440)).is_ok());
        for text in [&b""[..], b"\n", b"\xff", &[b'a'; 4097]] {
            assert!(read(&file(&folder, text, 0o600)).is_err());
        }
        assert!(read(folder.path()).is_err());
    }
}
