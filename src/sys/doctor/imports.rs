//! What the packages of a module import, as far as every platform builds them.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{core::doctor::gosource, sys::files};

/// So many folders and files are looked at.
const MOST: usize = 4096;
/// The imports of a file stand in its first bytes.
const HEAD: u64 = 256 * 1024;

/// Reads them below the folder of a go.mod. Nested modules, `vendor` and `testdata` are not its own.
pub(super) fn read(root: &Path) -> BTreeSet<String> {
    let (mut found, mut folders, mut left) = (BTreeSet::new(), vec![root.to_owned()], MOST);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Some(less) = left.checked_sub(1) else { return found };
            left = less;
            let (path, name) = (entry.path(), entry.file_name());
            let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else { continue };
            if kind.is_dir() && is_own(&path, name) {
                folders.push(path);
            } else if kind.is_file() && gosource::is_of_all(name) {
                let text = files::read(&path, HEAD).ok().flatten().unwrap_or_default();
                found.extend(
                    gosource::imports(&String::from_utf8_lossy(&text)).into_iter().flatten(),
                );
            }
        }
    }
    found
}

fn is_own(folder: &Path, name: &str) -> bool {
    !name.starts_with(['.', '_'])
        && !matches!(name, "vendor" | "testdata")
        && !folder.join("go.mod").exists()
}
