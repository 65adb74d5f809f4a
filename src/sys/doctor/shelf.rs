//! The folders that GOPROXY names in place of module proxies: what is there of the wanted modules.

use std::{collections::BTreeMap, io, path::PathBuf};

use crate::{
    core::{
        doctor::{
            machine::{Machine, Module},
            probe::Http,
            shelf::{self, Query},
            target::Target,
        },
        goproxy,
    },
    sys::files,
};

/// At most so many folders, and so many modules of a go.mod, are looked at.
const MOST: (usize, usize) = (4, 64);
/// The largest file that is read whole, in bytes: a list of versions.
const LARGEST: u64 = 64 * 1024;

/// Reads the files that go would ask for. What is not there is left out.
pub(super) fn read(target: &Target, machine: &Machine) -> BTreeMap<PathBuf, Http> {
    let mut found = BTreeMap::new();
    let Some((list, _)) = machine.go_setting("GOPROXY") else { return found };
    let folders: Vec<PathBuf> = goproxy::pieces(list.raw())
        .filter_map(|(element, _)| shelf::folder(element))
        .take(MOST.0)
        .collect();
    if folders.is_empty() {
        return found;
    }
    let wanted: Vec<(String, Option<String>)> = match target {
        Target::Module { path, version } => vec![(path.clone(), version.clone())],
        Target::Url(_) => Vec::new(),
        Target::Here => {
            let fetched = machine.module.as_ref().map(Module::fetched).unwrap_or_default();
            fetched.into_iter().map(|(path, version)| (path, Some(version))).collect()
        }
    };
    for (module, version) in wanted.iter().take(MOST.1) {
        for folder in &folders {
            let mut look = |name: &str| {
                let file = shelf::file(folder, module, name);
                let answer = answer(&file)?;
                let body = answer.body.clone();
                found.insert(file, answer);
                Some(body)
            };
            let list = look("@v/list");
            let version = match Query::of(version.as_deref()) {
                Query::Exactly(version) => Some(version.to_owned()),
                Query::Told(name) => {
                    look(&shelf::of_version(name, "info")).and_then(|info| shelf::told(&info))
                }
                Query::Listed(prefix) => {
                    let latest = look("@latest").filter(|_| prefix.is_none());
                    let listed = list.and_then(|list| shelf::chosen(&list, prefix));
                    listed.or_else(|| latest.and_then(|latest| shelf::told(&latest)))
                }
            };
            for end in ["info", "mod", "zip"] {
                version.as_deref().map(|version| look(&shelf::of_version(version, end)));
            }
        }
    }
    found
}

/// Opens a file as go does. `None`: it is not there.
fn answer(path: &std::path::Path) -> Option<Http> {
    let body = if path.extension().is_some_and(|end| end == "zip") {
        let mut start = [0; 4];
        match files::read_exactly(path, &mut start) {
            // Shorter than any zip file.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(Vec::new())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            done => done.map(|()| Some(start.to_vec())),
        }
    } else {
        files::read(path, LARGEST)
    };
    match body {
        Ok(body) => Some(Http { status: Some(200), body: body?, ..Http::default() }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Some(Http { status: Some(403), ..Http::default() })
        }
        // A folder, a pipe, a disk that fails.
        Err(_) => Some(Http::default()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::answer;

    #[test]
    fn a_file_answers_as_go_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, bytes: &[u8]| {
            let file = folder.path().join(name);
            crate::sys::files::write_private(&file, bytes).unwrap();
            answer(&file).map(|http| (http.status, http.body))
        };
        assert_eq!(of("v1.0.0.info", b"{}"), Some((Some(200), b"{}".to_vec())));
        assert_eq!(
            of("v1.0.0.zip", b"PK\x03\x04 and more"),
            Some((Some(200), b"PK\x03\x04".to_vec()))
        );
        assert_eq!(of("v2.0.0.zip", b"PK"), Some((Some(200), Vec::new())));
        assert!(answer(&folder.path().join("v3.0.0.zip")).is_none());
        assert!(answer(&folder.path().join("v1.0.0.info/list")).is_none());
        assert_eq!(answer(folder.path()).unwrap().status, None);
    }
}
