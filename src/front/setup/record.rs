//! What `setup --undo` takes back: our own edits, in the order in which they were made.
//!
//! It holds no copy of a file, because the files of git and go may hold secrets in clear.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    core::{
        fault::{Fault, Kind},
        setup::Edit,
    },
    front::{self, Context},
    sys::files,
};

/// The file's grammar.
const SCHEMA: u32 = 1;

/// Everything that can be taken back.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Record {
    schema: u32,
    /// Oldest first.
    pub(super) changes: Vec<Change>,
}

/// The change of one file.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::front) struct Change {
    /// The file.
    pub(in crate::front) file: PathBuf,
    /// Whether it was there before.
    pub(in crate::front) existed: bool,
    /// The folders that were made for it, innermost first.
    pub(in crate::front) folders: Vec<PathBuf>,
    /// The edits, in order.
    pub(in crate::front) edits: Vec<EditRow>,
}

/// An [`Edit`] in the file.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::front) struct EditRow {
    at: usize,
    removed: String,
    inserted: String,
}

impl From<&Edit> for EditRow {
    fn from(edit: &Edit) -> Self {
        let Edit { at, removed, inserted } = edit.clone();
        Self { at, removed, inserted }
    }
}

impl From<&EditRow> for Edit {
    fn from(row: &EditRow) -> Self {
        Self { at: row.at, removed: row.removed.clone(), inserted: row.inserted.clone() }
    }
}

/// Returns where it is kept.
pub(super) fn file(context: &Context) -> PathBuf {
    context.paths.state.join("setup.json")
}

/// Reads it; a missing file is an empty record.
pub(super) fn load(file: &Path) -> Result<Record, Fault> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, "the record of what setup did cannot be read")
            .cause(cause)
            .at(file.display())
    };
    let Some(bytes) = super::plan::read(file)? else { return Ok(Record::default()) };
    // The text of the error could quote the file.
    let damaged = |error: serde_json::Error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        front::set_aside(wrong(&place), file)
    };
    let record: Record = serde_json::from_slice(&bytes).map_err(damaged)?;
    if record.schema == SCHEMA {
        Ok(record)
    } else {
        Err(wrong(&format!("it is of version {}, and this gocred knows {SCHEMA}", record.schema)))
    }
}

/// Writes it; an empty record is a missing file.
pub(super) fn save(file: &Path, record: &mut Record) -> Result<(), Fault> {
    let unwritable = |cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, "the record of what setup did cannot be written")
            .cause(cause)
            .at(file.display())
    };
    record.schema = SCHEMA;
    if record.changes.is_empty() {
        return match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(&error)),
            _ => Ok(()),
        };
    }
    let bytes = serde_json::to_vec_pretty(record).map_err(|error| unwritable(&error))?;
    files::write_private(file, &bytes).map_err(|error| unwritable(&error))
}
