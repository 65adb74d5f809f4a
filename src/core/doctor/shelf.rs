//! A folder in place of a module proxy: `file://` in GOPROXY (`go help goproxy`). It is laid out as a proxy's URLs
//! are, and go makes a status of what opening a file comes to (cmd/go/internal/web `getFile`): what is not there is
//! 404, what may not be read 403.
//!
//! It deliberately looks at nothing: `sys::doctor` reads the files, and a machine keeps them as answers.

use std::path::{Path, PathBuf};

use crate::core::doctor::{gomod, plan, route::address::decoded};

/// Returns the folder that an element of GOPROXY names. `None`: it names none, or has more than a path, which go
/// refuses (modfetch `newProxyRepo`).
pub fn folder(element: &str) -> Option<PathBuf> {
    let rest = element.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:"));
    let rest = rest.and_then(|scheme| element.get(scheme.len()..))?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let is_path = path.starts_with('/') && !path.contains(['?', '#', '\0']);
    is_path.then(|| PathBuf::from(decoded(path)))
}

/// Returns one of a module's files there, such as `@v/v1.0.0.info`.
pub fn file(folder: &Path, module: &str, name: &str) -> PathBuf {
    folder.join(gomod::escaped(module)).join(name)
}

/// Returns the name of one of a version's files.
pub fn of_version(version: &str, end: &str) -> String {
    format!("@v/{}.{end}", gomod::escaped(version))
}

/// What a version asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query<'a> {
    /// The newest one, or the newest that begins so: the list answers.
    Listed(Option<&'a str>),
    /// A branch or a commit: its `.info` file tells the version.
    Told(&'a str),
    /// This one.
    Exactly(&'a str),
}

impl<'a> Query<'a> {
    /// Reads what was asked for (modload `newQueryMatcher`).
    pub fn of(version: Option<&'a str>) -> Self {
        match version.filter(|version| !plan::is_newest(version)) {
            None => Self::Listed(None),
            Some(version) if plan::is_prefix(version) => Self::Listed(Some(version)),
            Some(version) if plan::is_whole(version) => Self::Exactly(version),
            Some(version) => Self::Told(version),
        }
    }
}

/// Returns the version that go takes of a list, of those that begin so.
pub fn chosen(list: &[u8], prefix: Option<&str>) -> Option<String> {
    plan::chosen(&String::from_utf8_lossy(list), prefix).map(str::to_owned)
}

/// Returns the version that an `.info` file or `@latest` tells.
pub fn told(info: &[u8]) -> Option<String> {
    plan::version_of(info)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{file, folder, of_version};

    #[test]
    fn only_a_path_is_a_folder() {
        for (element, path) in [
            ("file:///srv/go", Some("/srv/go")),
            ("FILE:/srv/a%20b", Some("/srv/a b")),
            ("file://host/srv", None),
            ("file://~/go", None),
            ("file:srv", None),
            ("file:///srv?x", None),
            ("https://h/", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(folder(element), path.map(PathBuf::from), "{element}");
        }
    }

    #[test]
    fn a_file_is_named_as_in_the_module_cache() {
        let own = file(Path::new("/s"), "h.test/Pub", &of_version("v1.0.0-RC1", "zip"));
        assert_eq!(own, PathBuf::from("/s/h.test/!pub/@v/v1.0.0-!r!c1.zip"));
    }
}
