//! gocred's own folders: what is in them, whom it is open to, and what a killed gocred left behind. Folders that
//! somebody else chose for a file of gocred's (`[store] file`) are looked at no further than that.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    core::doctor::machine::{Stat, What},
    sys::{doctor::look, paths::Paths},
};

/// At most so many files of a folder are looked at.
const MOST: usize = 256;
/// What is younger may be a write that goes on.
const YOUNG: Duration = Duration::from_secs(600);

/// What is there.
#[derive(Debug, Default)]
pub struct Own {
    /// Files and folders.
    pub files: Vec<(PathBuf, Stat)>,
    /// Unfinished files, and sockets on which nobody listens.
    pub left: Vec<PathBuf>,
}

/// Returns gocred's own folders, where it made them itself.
pub fn folders(paths: &Paths) -> Vec<PathBuf> {
    let parents = [Some(&paths.config), Some(&paths.vault), paths.control.as_ref()];
    let parents = parents.into_iter().flatten().filter_map(|file| file.parent());
    let run = paths.state.join("run");
    let all = parents.chain([paths.state.as_path(), run.as_path()]);
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in all.filter(|it| it.ends_with("gocred") || it.ends_with("gocred/run")) {
        if !found.iter().any(|own| own == folder) {
            found.push(folder.to_owned());
        }
    }
    found
}

/// Looks at them. Links are not followed.
pub fn look(paths: &Paths) -> Own {
    let mut own = Own::default();
    for folder in folders(paths) {
        if !folder.symlink_metadata().is_ok_and(|about| about.is_dir()) {
            continue;
        }
        own.files.push((folder.clone(), look::stat(&folder)));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten().take(MOST) {
            let Ok(about) = entry.metadata() else { continue };
            let path = entry.path();
            if !is_ours(&path, paths) {
                continue;
            }
            if about.is_file() {
                own.files.push((path.clone(), look::stat(&path)));
            }
            let is_left = if about.is_file() {
                is_unfinished(&path) && is_old(&about)
            } else {
                is_deserted(&path)
            };
            if is_left {
                own.left.push(path);
            }
        }
    }
    own
}

/// Whether gocred gave a file its name. All of the folders of its state are its own; beside its configuration and its
/// encrypted file people keep what they like.
fn is_ours(path: &Path, paths: &Paths) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    let beside =
        |file: &Path| path.parent() == file.parent() && file.parent() != Some(&paths.state);
    let mut kept = [&paths.config, &paths.vault].into_iter().filter(|file| beside(file)).peekable();
    kept.peek().is_none() || kept.any(|file| name(path).starts_with(&name(file)))
}

/// Whether a file is one that `sys::files` or `sys::durable` would have given its name: `NAME.16 hex digits.tmp`.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let unique = name.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.'));
    unique.is_some_and(|(name, unique)| {
        !name.is_empty()
            && unique.len() == 16
            && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether a file was changed so long ago that no write goes on.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a file, which `sys::clock` does not have"
)]
pub fn is_old(about: &fs::Metadata) -> bool {
    let age = about.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > YOUNG)
}

/// Whether a path is a socket on which nobody listens.
#[cfg(unix)]
pub fn is_deserted(path: &Path) -> bool {
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let about = look::stat(path);
    about.what == What::Other
        && path.extension().is_some_and(|end| end == "sock")
        && std::os::unix::net::UnixStream::connect(path).is_err_and(|error| is_refused(&error))
}

/// Whether a path is a socket on which nobody listens.
#[cfg(not(unix))]
pub fn is_deserted(_path: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::{is_deserted, is_unfinished};

    #[test]
    fn only_what_gocred_names_so_is_its_own() {
        for (name, is_it) in [
            ("/s/vault.0123456789abcdef.tmp", true),
            ("/s/config.toml.0123456789abcdef.tmp", true),
            ("/s/vault.tmp", false),
            ("/s/.0123456789abcdef.tmp", false),
            ("/s/vault.0123456789abcde.tmp", false),
            ("/s/vault.0123456789abcdeg.tmp", false),
            ("/s/vault", false),
        ] {
            assert_eq!(is_unfinished(name.as_ref()), is_it, "{name}");
        }
    }

    #[test]
    fn a_socket_is_deserted_where_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        assert!(!is_deserted(&path));
        let listener = UnixListener::bind(&path).unwrap();
        assert!(!is_deserted(&path));
        drop(listener);
        assert!(is_deserted(&path));
    }
}
