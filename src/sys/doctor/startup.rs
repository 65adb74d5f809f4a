//! The files that set variables when somebody logs in or opens a shell. Only their lines that set a
//! variable of the tools are kept.

use std::path::{Path, PathBuf};

use crate::{
    core::doctor::{gosettings, machine::Text, private::Private},
    sys::doctor::text,
};

/// The files of the system, then those of the user, in the order in which the later one wins.
const OF_SYSTEM: &[&str] = &[
    "/etc/environment",
    "/etc/profile",
    "/etc/bashrc",
    "/etc/bash.bashrc",
    "/etc/zsh/zshenv",
    "/etc/zshenv",
    "/etc/zprofile",
    "/etc/zsh/zprofile",
];
/// See [`OF_SYSTEM`]; below the home folder.
const OF_USER: &[&str] = &[
    ".pam_environment",
    ".config/environment.d",
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".zshenv",
    ".zprofile",
    ".config/fish/config.fish",
    ".config/fish/conf.d",
    ".bashrc",
    ".bash_aliases",
    ".zshrc",
];
/// More files than this of a folder are not read.
const MOST: usize = 64;

/// Reads those that are there and say anything.
pub(super) fn read(home: &Path) -> Vec<Text> {
    let drop_ins = [PathBuf::from("/etc/profile.d")];
    let system = OF_SYSTEM.iter().map(PathBuf::from).chain(drop_ins);
    let user = OF_USER.iter().map(|name| home.join(name));
    let files = system.chain(user).flat_map(files);
    files.map(|path| kept(text::read(&path))).filter(is_telling).collect()
}

/// Returns a file, or the files of a folder in their order.
fn files(path: PathBuf) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(&path) else { return vec![path] };
    let mut files: Vec<_> = folder.flatten().take(MOST).map(|file| file.path()).collect();
    files.sort();
    files
}

/// Blanks the lines that set nothing of ours: they are nobody's business.
fn kept(mut text: Text) -> Text {
    for line in text.lines.iter_mut().flatten() {
        if !sets(line.raw()) {
            *line = Private::default();
        }
    }
    text
}

fn sets(line: &str) -> bool {
    let line = line.trim_start();
    let line = ["export ", "set -gx ", "set -x ", "set -Ux "]
        .iter()
        .find_map(|prefix| line.strip_prefix(prefix))
        .unwrap_or(line)
        .trim_start();
    let end = line.find(['=', ' ']).unwrap_or(line.len());
    line.get(..end).is_some_and(gosettings::is_read)
}

fn is_telling(text: &Text) -> bool {
    text.lines.iter().flatten().any(|line| !line.raw().is_empty())
}
