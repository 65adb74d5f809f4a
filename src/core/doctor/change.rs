//! What `--fix` does about a finding, as data: a file and what becomes of it. `mend` makes edits of it, and `front`
//! makes them.

use std::path::PathBuf;

use crate::core::doctor::{mend::shown::shown, private::Private};

/// A change that `--fix` makes and `--undo` takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A line of go's environment file is set; `None` removes it.
    GoEnv {
        /// The variable.
        name: String,
        /// Its new value.
        value: Option<String>,
    },
    /// A value of git's configuration of the user is set; `None` removes it.
    GitConfig {
        /// The file.
        file: PathBuf,
        /// The full key, as git writes it.
        key: String,
        /// The line of the one value that is meant, from 1; `None` means all values of the key.
        line: Option<usize>,
        /// Its new value.
        value: Option<String>,
    },
    /// A value is added to those that a key of git's configuration has.
    GitAdd {
        /// The file.
        file: PathBuf,
        /// The full key, as git writes it.
        key: String,
        /// The value.
        value: String,
    },
    /// gocred's helper, as the file names it, is asked before the others there.
    FirstHelper {
        /// The file.
        file: PathBuf,
        /// The value of `credential.helper`.
        helper: String,
    },
    /// What git cannot read of one of its files: a header is closed, any other line is switched off.
    Unreadable {
        /// The file.
        file: PathBuf,
    },
    /// What an editor of another system put into a file is taken out: a byte order mark at its start, the carriage
    /// returns at the ends of its lines.
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// An entry of a netrc file goes before another one. Nothing of either is written anew.
    Before {
        /// The file.
        file: PathBuf,
        /// The line on which the entry begins that goes up, from 1.
        line: usize,
        /// The line on which the other one begins.
        other: usize,
    },
    /// A line of a text file is replaced; `None` removes it.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Its new text.
        text: Option<String>,
    },
    /// A part of a line gives way to another: what stands beside it may be secret, and is not written anew.
    Part {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Which of those in the line, from 0.
        nth: usize,
        /// What is there.
        from: String,
        /// What is to be there.
        to: String,
    },
    /// The permission bits of a file become these.
    Mode {
        /// The file.
        file: PathBuf,
        /// The bits.
        mode: u32,
    },
    /// Files or folders get another name beside the old one, so that they are in nobody's way.
    Aside {
        /// Their paths; what is not there is passed over.
        paths: Vec<PathBuf>,
    },
    /// A folder is made, with its parents.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A program is run: its arguments as data, never a shell's line. It must be able to take it back itself.
    Run {
        /// The program and its arguments.
        command: Vec<String>,
        /// What takes it back; empty where nothing has to be.
        undo: Vec<String>,
    },
}

impl Change {
    /// Returns whether it would write a password: it would be shown, and written down for `--undo`.
    pub(super) fn holds_secret(&self) -> bool {
        let text = match self {
            Self::GoEnv { name, value } => {
                let is_secret = |value: &String| Private::of(name, value).to_string() != *value;
                return value.as_ref().is_some_and(is_secret);
            }
            Self::GitConfig { key, value, .. } => {
                let is_secret = |value: &String| Private::of(key, value).to_string() != *value;
                return value.as_ref().is_some_and(is_secret);
            }
            Self::Line { text, .. } => text.as_deref(),
            // `ssh://git@host/` is no secret.
            Self::GitAdd { .. }
            | Self::Part { .. }
            | Self::FirstHelper { .. }
            | Self::Unreadable { .. }
            | Self::Foreign { .. }
            | Self::Before { .. }
            | Self::Aside { .. }
            | Self::Folder { .. }
            | Self::Mode { .. }
            | Self::Run { .. } => None,
        };
        text.is_some_and(|text| shown(text) != text)
    }
}
