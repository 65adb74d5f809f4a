//! Reads go's settings from the environment and from go's environment file.

use std::path::Path;

use crate::{
    core::goenv::GoEnv,
    sys::{env::Env, files},
};

/// The largest environment file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Resolves the settings. `file` is go's environment file (`Paths::goenv`).
///
/// A file that cannot be read counts as empty, as it does for go. One named by a relative path does
/// too: the current folder may be an untrusted repository.
pub fn read(env: &Env, file: Option<&Path>) -> GoEnv {
    let bytes = file
        .filter(|file| file.is_absolute())
        .and_then(|file| files::read(file, MAX_FILE).ok().flatten())
        .unwrap_or_default();
    GoEnv::resolve(|name| env.text(name), &String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::read;
    use crate::sys::{env::Env, files};

    #[test]
    fn the_file_of_go_is_read_below_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        files::write_private(&file, b"GOPRIVATE=a.test\nGOAUTH=off\n").unwrap();
        let settings = read(&Env::of(&[("GOPRIVATE", "b.test")]), Some(&file));
        assert_eq!((settings.goprivate.as_str(), settings.goauth.as_str()), ("b.test", "off"));
    }

    #[test]
    fn a_missing_file_and_a_relative_one_are_empty() {
        for file in [None, Some(Path::new("/nonexistent/env")), Some(Path::new("Cargo.toml"))] {
            assert_eq!(read(&Env::of(&[]), file).goauth, "netrc");
        }
    }
}
