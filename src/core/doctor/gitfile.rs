//! What git's own listing leaves out: on which line of its file each value stands, and what a helper's
//! value runs.

use std::path::PathBuf;

use crate::core::setup::gitconfig;

/// Returns the full key and the line, from 1, of every value of a file, in order; nothing where git would
/// not read it either.
pub fn lines(text: &[u8]) -> Vec<(String, usize)> {
    let entries = gitconfig::parse(text).unwrap_or_default();
    let mut lines = Vec::with_capacity(entries.len());
    let (mut at, mut line) = (0, 1);
    for entry in entries {
        let start = entry.lines().map_or_else(|| entry.header(), |lines| lines.start);
        // A value of several lines, or several values of a line: the start never goes back.
        let between = text.get(at..start).unwrap_or_default();
        line += between.split(|byte| *byte == b'\n').count() - 1;
        at = at.max(start);
        lines.push((format!("{}.{}", entry.section, entry.key), line));
    }
    lines
}

/// What a value of `credential.helper` runs (git's `credential_do`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Helper {
    /// The empty value: the helpers before it count no more.
    Reset,
    /// `!command`: a shell's line.
    Shell,
    /// An absolute path.
    Path(PathBuf),
    /// `git-credential-NAME`.
    Name(String),
}

impl Helper {
    /// Reads a value.
    pub fn parse(value: &str) -> Self {
        if value.is_empty() {
            return Self::Reset;
        }
        if value.starts_with('!') {
            return Self::Shell;
        }
        let mut words = value.split_whitespace();
        let first = words.next().unwrap_or_default();
        // A blank in a path is escaped for the shell: whoever does that is looked at as the shell's.
        match first {
            path if path.starts_with('/') && value.contains(['\\', '\'', '"']) => Self::Shell,
            path if path.starts_with('/') => Self::Path(PathBuf::from(path)),
            name => Self::Name(name.to_owned()),
        }
    }

    /// Returns the program's name on PATH.
    pub fn program(&self) -> Option<String> {
        match self {
            Self::Name(name) => Some(format!("git-credential-{name}")),
            Self::Reset | Self::Shell | Self::Path(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Helper, lines};

    #[test]
    fn each_value_has_its_line() {
        let text = b"# a\n[user]\n\tname = x\n[http \"https://h\"] proxy = p\n\n\tsslVerify\n\
                     \textraHeader = \"a\\\n b\"\n\tproxy = q\n";
        let lines = lines(text);
        let lines: Vec<(&str, usize)> = lines.iter().map(|(key, at)| (key.as_str(), *at)).collect();
        assert_eq!(
            lines,
            [
                ("user.name", 3),
                ("http.https://h.proxy", 4),
                ("http.https://h.sslverify", 6),
                ("http.https://h.extraheader", 7),
                ("http.https://h.proxy", 9),
            ]
        );
    }

    #[test]
    fn a_helper_is_a_name_a_path_or_a_shell_line() {
        assert_eq!(Helper::parse(""), Helper::Reset);
        assert_eq!(Helper::parse("!gh auth git-credential"), Helper::Shell);
        assert_eq!(Helper::parse("/usr/bin/x get"), Helper::Path("/usr/bin/x".into()));
        let store = Helper::parse("store --file=/x");
        assert_eq!(store.program().as_deref(), Some("git-credential-store"));
    }
}
