//! go's module cache: whether what is wanted is there already, whether it is whole, and who holds its locks.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use crate::core::doctor::{
    gomod::GoMod,
    gosettings,
    machine::{Cached, Machine},
    target::Target,
};

/// At most so many modules of a go.mod are looked up.
const MOST: usize = 64;

/// Reads what is there of the wanted modules.
pub(super) fn read(target: &Target, machine: &mut Machine) {
    let Some(cache) = super::modcache(machine) else { return };
    let wanted: Vec<(String, String)> = match target {
        Target::Module { path, version: Some(version) } => vec![(path.clone(), version.clone())],
        Target::Module { .. } | Target::Url(_) => Vec::new(),
        Target::Here => {
            let module = machine.module.as_ref().map(|module| GoMod::parse(&module.go_mod));
            module.unwrap_or_default().fetched().take(MOST).collect()
        }
    };
    let mut locks = vec![cache.join("cache/lock")];
    for (path, version) in wanted {
        let stem = gosettings::cached(&cache, &path, &version).into_os_string();
        let with = |end: &str| {
            let mut name = stem.clone();
            name.push(end);
            PathBuf::from(name)
        };
        locks.push(with(".lock"));
        let zip = with(".zip");
        if let Some(is_whole) = is_whole(&zip) {
            machine.cached.insert(format!("{path}@{version}"), Cached { zip, is_whole });
        }
    }
    machine.locks = held(&locks);
}

/// Returns whether a file begins and ends as a zip file does (PKWARE's APPNOTE, 4.3.6); `None`: there is none.
fn is_whole(path: &Path) -> Option<bool> {
    /// The end record is 22 bytes; go writes no comment behind it.
    const END: u64 = 22;
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut start = [0; 4];
    let mut end = [0; 4];
    let is_read = file.read_exact(&mut start).is_ok()
        && file.seek(SeekFrom::Start(length.saturating_sub(END))).is_ok()
        && file.read_exact(&mut end).is_ok();
    Some(is_read && matches!(&start, b"PK\x03\x04" | b"PK\x05\x06") && &end == b"PK\x05\x06")
}

/// Returns the files that a process holds a lock of (`/proc/locks`), and its number.
#[cfg(target_os = "linux")]
fn held(files: &[PathBuf]) -> Vec<(PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt;
    let there: Vec<_> =
        files.iter().filter_map(|file| Some((file, file.metadata().ok()?))).collect();
    let mut held = Vec::new();
    if there.is_empty() {
        return held;
    }
    let Some(locks) = super::proc::read("/proc/locks") else { return held };
    for (file, about) in there {
        let device = rustix::fs::major(about.dev());
        let minor = rustix::fs::minor(about.dev());
        let name = format!("{device:02x}:{minor:02x}:{}", about.ino());
        let holder = locks.lines().find_map(|line| {
            let mut fields =
                line.split_whitespace().skip_while(|field| !field.starts_with("WRITE"));
            let holder = fields.nth(1)?.parse().ok()?;
            (fields.next()? == name && !line.contains("->")).then_some(holder)
        });
        held.extend(holder.map(|holder| (file.clone(), holder)));
    }
    held
}

/// No other system tells.
#[cfg(not(target_os = "linux"))]
fn held(_files: &[PathBuf]) -> Vec<(PathBuf, u32)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn a_zip_file_is_known_by_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("v1.0.0.zip");
        assert_eq!(is_whole(&file), None);
        let mut zip = b"PK\x03\x04 something ".to_vec();
        zip.extend(b"PK\x05\x06");
        zip.extend([0; 18]);
        for (bytes, wanted) in
            [(zip.as_slice(), true), (&zip[..20], false), (b"<html>", false), (b"", false)]
        {
            crate::sys::files::write_private(&file, bytes).unwrap();
            assert_eq!(is_whole(&file), Some(wanted));
        }
    }
}
