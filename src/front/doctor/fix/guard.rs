//! Which files the doctor leaves alone, whatever a finding says: those outside of the home folder and of gocred's own, of other
//! users, of repositories, with a second name, or read-only.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    front::Context,
    sys::{doctor::own, files, peer},
};

/// What is to be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// It gets another text.
    Write,
    /// It gets other bits.
    Mode,
    /// It gets another name, or is made.
    Name,
}

/// Returns why a file is left alone.
pub(super) fn reason(path: &Path, deed: Deed, context: &Context) -> Option<String> {
    let home = fs::canonicalize(&context.paths.home).ok()?;
    let Some(real) = resolved(path, deed) else {
        return Some("it is a symbolic link to a file that does not exist".to_owned());
    };
    // gocred's own may be elsewhere: its socket is in the folder of the session.
    let mut own = own::folders(&context.paths).into_iter().filter_map(|it| it.canonicalize().ok());
    if !real.starts_with(&home) && !own.any(|own| real.starts_with(own)) {
        let is_link = path.starts_with(&context.paths.home);
        return Some(if is_link {
            "a symbolic link leads out of your home folder".to_owned()
        } else {
            "it is outside of your home folder".to_owned()
        });
    }
    if real.iter().any(|part| part == ".git") {
        return Some("it belongs to a repository".to_owned());
    }
    if !real.exists() && fs::symlink_metadata(&real).is_err() {
        return None;
    }
    if deed == Deed::Write {
        return match files::hindrance(&real) {
            // 0400 keeps passwords from others. The new file gets it, too.
            Ok(Some(files::READ_ONLY)) if is_netrc(path, &real, context) => None,
            Ok(Some(reason)) => Some(reason.to_owned()),
            Ok(None) => None,
            Err(error) => Some(error.to_string()),
        };
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let is_other = fs::symlink_metadata(&real).is_ok_and(|it| it.uid() != peer::own_uid());
        if is_other {
            return Some("the file belongs to another user".to_owned());
        }
    }
    None
}

/// Whether a file is a netrc: its usual name, or the one that go is told.
fn is_netrc(path: &Path, real: &Path, context: &Context) -> bool {
    let names = [".netrc", "_netrc"];
    let is_usual = |path: &Path| names.iter().any(|name| path.file_name() == Some(name.as_ref()));
    is_usual(path) || is_usual(real) || context.env.path("NETRC").as_deref() == Some(path)
}

/// Returns where a path leads; of one that is not there, where it would be made. `None`: it leads nowhere.
fn resolved(path: &Path, deed: Deed) -> Option<PathBuf> {
    let name = path.file_name()?;
    let parent = path.parent()?;
    // What gets another name is the link itself.
    if deed != Deed::Name {
        if let Ok(real) = fs::canonicalize(path) {
            return Some(real);
        }
        if path.is_symlink() {
            return None;
        }
    }
    let there = parent.ancestors().find_map(|above| {
        let real = fs::canonicalize(above).ok()?;
        Some(real.join(parent.strip_prefix(above).ok()?))
    })?;
    Some(there.join(name))
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Deed, resolved};

    #[test]
    fn a_link_is_followed_where_a_text_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let (file, link) = (root.join("file"), root.join("link"));
        crate::sys::files::write_private(&file, b"").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(resolved(&link, Deed::Write), Some(file));
        assert_eq!(resolved(&link, Deed::Name), Some(link));
        let dangling = root.join("dangling");
        std::os::unix::fs::symlink("/nonexistent/x", &dangling).unwrap();
        assert_eq!(resolved(&dangling, Deed::Write), None);
        let new = root.join("a/b/c");
        assert_eq!(resolved(&new, Deed::Write), Some(new));
    }
}
