//! Files as lines, and the files that hold secrets.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    core::{
        doctor::{
            gitfile::Helper,
            machine::{Machine, Netrc, Text},
            private::Private,
        },
        netrc,
        secret::SecretString,
    },
    sys::{doctor::look, files},
};

/// The largest file that is read, in bytes: a go.sum of thirty thousand modules.
const MOST: u64 = 8 * 1024 * 1024;

/// Reads a file. A byte order mark at its start is kept: it is a fault of the file.
pub(super) fn read(path: &Path) -> Text {
    let bytes = files::read(path, MOST).ok().flatten();
    let lines = bytes.map(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(Private::new).collect()
    });
    Text { path: path.to_owned(), lines }
}

/// Reads a file as go reads its environment file (cmd/go `cfg.readEnvFile`): a carriage return at the end of a line is
/// part of the value.
pub(super) fn read_as_go(path: &Path) -> Text {
    let bytes = files::read(path, MOST).ok().flatten();
    let lines = bytes.map(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
        lines.map(Private::new).collect()
    });
    Text { path: path.to_owned(), lines }
}

/// Reads the netrc files: the one that `NETRC` names, and the usual one.
pub(super) fn netrc(machine: &Machine) -> BTreeMap<PathBuf, Netrc> {
    let named = machine.variable("NETRC").map(|path| PathBuf::from(path.raw()));
    let name = if cfg!(windows) { "_netrc" } else { ".netrc" };
    let usual = machine.home.as_ref().map(|home| home.join(name));
    let files = named.into_iter().chain(usual).filter(|path| path.is_absolute());
    files.map(|path| (path.clone(), secret(&path))).collect()
}

/// Reads the files of `credential.helper = store`.
pub(super) fn git_credentials(machine: &Machine) -> BTreeMap<PathBuf, Netrc> {
    let mut found = BTreeMap::new();
    let is_helper = |key: &str| key.starts_with("credential.") && key.ends_with(".helper");
    for entry in machine.git_config.iter().filter(|entry| is_helper(&entry.key)) {
        let value = entry.value.raw();
        let is_store = Helper::parse(value).program().is_some_and(|name| name.ends_with("-store"));
        if !is_store {
            continue;
        }
        let mut words = value.split_whitespace();
        let file = words.find_map(|word| {
            let rest = word.strip_prefix("--file")?;
            rest.strip_prefix('=').or_else(|| value.split_whitespace().last())
        });
        let home = machine.home.as_deref();
        let paths = match file {
            Some(file) => vec![match file.strip_prefix("~/") {
                Some(below) => home.map(|home| home.join(below)),
                None => Some(PathBuf::from(file)),
            }],
            None => vec![home.map(|home| home.join(".git-credentials")), xdg(machine)],
        };
        for path in paths.into_iter().flatten().filter(|path| path.is_absolute()) {
            found.insert(path.clone(), secret(&path));
        }
    }
    found
}

/// Returns the second file of git-credential-store, which it asks after the one in HOME.
fn xdg(machine: &Machine) -> Option<PathBuf> {
    let base = machine.variable("XDG_CONFIG_HOME").map(|value| PathBuf::from(value.raw()));
    let base = base.or_else(|| Some(machine.home.as_ref()?.join(".config")))?;
    Some(base.join("git/credentials"))
}

fn secret(path: &Path) -> Netrc {
    let limit = u64::try_from(netrc::MAX_FILE).unwrap_or(u64::MAX);
    let text = files::read(path, limit).ok().flatten();
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).map(SecretString::from);
    Netrc { stat: look::stat(path), text }
}
