//! Which thing a path led to when the plan was made. Somebody reads the plan before it is carried out, and meanwhile
//! another program may have put something else there, or taken it into use again.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use crate::sys::doctor::own;

/// What tells one thing from another that has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    device: u64,
    inode: u64,
    /// Length and time of a file. What is in a folder may change: it is still the same.
    state: Option<(u64, i64, i64)>,
}

impl Seen {
    /// Looks at a path. `None`: nothing is there, or somebody uses what gocred seemed to have left behind.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let about = fs::symlink_metadata(path).ok()?;
        let kind = about.file_type();
        if (kind.is_socket() && !own::is_deserted(path))
            || (own::is_unfinished(path) && !own::is_old(&about))
        {
            return None;
        }
        let state = (!about.is_dir()).then(|| (about.len(), about.mtime(), about.mtime_nsec()));
        Some(Self { device: about.dev(), inode: about.ino(), state })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::net::UnixListener};

    use super::Seen;

    #[test]
    fn what_has_taken_the_place_of_another_thing_is_told_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".netrc");
        assert_eq!(Seen::of(&path), None);
        fs::create_dir(&path).unwrap();
        let before = Seen::of(&path).unwrap();
        fs::create_dir(path.join("inside")).unwrap();
        assert_eq!(Seen::of(&path).unwrap(), before);
        fs::rename(&path, folder.path().join("other")).unwrap();
        crate::sys::files::write_private(&path, b"machine h\n").unwrap();
        let file = Seen::of(&path).unwrap();
        assert_ne!(file, before);
        crate::sys::files::write_private(&path, b"machine i\n").unwrap();
        assert_ne!(Seen::of(&path).unwrap(), file);
    }

    #[test]
    fn what_is_in_use_again_is_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(Seen::of(&path).is_some());
        fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(Seen::of(&path), None);
        // A write that goes on.
        let path = folder.path().join("vault.0123456789abcdef.tmp");
        crate::sys::files::write_private(&path, b"x").unwrap();
        assert_eq!(Seen::of(&path), None);
    }
}
