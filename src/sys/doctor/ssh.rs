//! OpenSSH's files: whether `ssh -G` may be asked, and which folder ssh takes for home.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    core::doctor::{
        machine::{Machine, Ssh},
        ssh, ssh_files,
    },
    sys::files,
};

/// Where systems have the file for everybody.
const SYSTEM: &[&str] = &[
    "/etc/ssh",
    "/etc/openssh",
    "/usr/local/etc/ssh",
    "/opt/homebrew/etc/ssh",
    "/opt/local/etc/ssh",
];
/// So many files are read at most, each up to so many bytes. ssh follows 16 levels of them.
const MOST: (usize, u64) = (128, 256 * 1024);

/// Reads them.
pub(super) fn read(machine: &Machine) -> Ssh {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let home = account_home(&users, machine.uid).or_else(|| machine.home.clone());
    let Some(folder) = home.as_ref().map(|home| home.join(".ssh")) else { return Ssh::default() };
    let mut wanted = vec![(folder.join("config"), folder.clone())];
    wanted.extend(SYSTEM.iter().map(|at| (Path::new(at).join("ssh_config"), PathBuf::from(at))));
    let named = ssh::files(machine).into_iter().filter(|path| path.is_absolute());
    wanted.extend(named.map(|path| (path, folder.clone())));
    Ssh { is_askable: home.as_ref().is_some_and(|home| is_askable(wanted, home)), home }
}

/// Returns the home folder of an account: ssh asks the system for it, and not `HOME`.
fn account_home(users: &str, uid: u32) -> Option<PathBuf> {
    let uid = uid.to_string();
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.get(2).is_some_and(|it| *it == uid))?;
    line.get(5).filter(|home| home.starts_with('/')).map(PathBuf::from)
}

/// Whether no file, and none that they include, says what keeps `ssh -G` from being asked. Each comes with the folder
/// where its includes begin.
fn is_askable(mut wanted: Vec<(PathBuf, PathBuf)>, home: &Path) -> bool {
    let mut seen = BTreeSet::new();
    while let Some((path, folder)) = wanted.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let text = match files::read(&path, MOST.1) {
            Ok(None) => continue,
            Ok(Some(text)) => String::from_utf8_lossy(&text).into_owned(),
            // A folder among those that a pattern may mean.
            Err(_) if path.is_dir() => continue,
            Err(_) => return false,
        };
        let Some(paths) = ssh_files::includes(&text) else { return false };
        for path in paths {
            let path = match path.strip_prefix("~/") {
                Some(below) => home.join(below),
                None if path.starts_with('~') => return false,
                None => folder.join(path),
            };
            let Some(all) = expanded(&path) else { return false };
            wanted.extend(all.into_iter().map(|path| (path, folder.clone())));
        }
        if seen.len() + wanted.len() > MOST.0 {
            return false;
        }
    }
    true
}

/// Returns the files that a path may mean: of a pattern in its last part, all of the folder. `None`: it is too much.
fn expanded(path: &Path) -> Option<Vec<PathBuf>> {
    let is_pattern = |part: &str| part.contains(['*', '?', '[', '{']);
    if !is_pattern(path.to_str()?) {
        return Some(vec![path.to_owned()]);
    }
    let folder =
        path.parent().filter(|folder| folder.to_str().is_some_and(|it| !is_pattern(it)))?;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    Some(entries.take(MOST.0 + 1).map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{account_home, is_askable};

    #[test]
    fn the_home_of_an_account_is_the_systems() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/sh\nx:x:7:7::\n";
        assert_eq!(account_home(users, 1000), Some(PathBuf::from("/home/ana")));
        assert_eq!(account_home(users, 7), None);
        assert_eq!(account_home(users, 1), None);
    }

    #[test]
    fn what_a_file_includes_counts_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let write = |name: &str, text: &str| {
            let file = home.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            crate::sys::files::write_private(&file, text.as_bytes()).unwrap();
            file
        };
        let config = write(".ssh/config", "Include config.d/* ~/more gone\nHost *\n");
        let askable = || is_askable(vec![(config.clone(), home.join(".ssh"))], home);
        write(".ssh/config.d/work", "Host work\n\tPort 3\n");
        write("more", "Include ~/more\nHost x\n");
        assert!(askable());
        write("more", "Match exec id\n");
        assert!(!askable());
        write("more", "");
        write(".ssh/config.d/work", "Match host x exec id\n");
        assert!(!askable());
        write(".ssh/config.d/work", "Include */x\n");
        assert!(!askable());
        write(".ssh/config.d/work", "Include ~bo/x\n");
        assert!(!askable());
    }
}
