//! What `--undo` takes back, written down before it is done. It holds no copy of a file: its own text, and a
//! short sum of the file as it was left, which tells whether somebody edited it since.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    core::fault::{Fault, Kind},
    front::{
        self, Context,
        setup::{plan, record},
    },
    sys::files,
};

/// The grammar of the record.
const SCHEMA: u32 = 1;

/// What was done, oldest first.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Record {
    schema: u32,
    /// The steps.
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// A file was edited. `found` is what it was before, which older records lack: a step that a crash kept from being
    /// made is told by it.
    Edit {
        change: record::Change,
        #[serde(default)]
        found: Option<Sum>,
        left: Sum,
    },
    /// Two stretches of a file have changed places: where, what it was before, and what it was left as.
    Swap {
        file: PathBuf,
        start: usize,
        middle: usize,
        end: usize,
        #[serde(default)]
        found: Option<Sum>,
        left: Sum,
    },
    /// The bits of a file were changed.
    Mode { file: PathBuf, before: u32, after: u32 },
    /// Folders were made, innermost first.
    Folder { made: Vec<PathBuf> },
    /// Something got another name.
    Aside { from: PathBuf, to: PathBuf },
    /// A program was run, or, where it is not said to have ended, was about to be.
    Run {
        undo: Vec<String>,
        #[serde(default = "yes")]
        is_made: bool,
    },
}

/// Older records hold nothing else than what was made.
fn yes() -> bool {
    true
}

/// Tells one state of a file from another. It is short on purpose: of a list of passwords, every 65,536th fits.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Sum {
    length: usize,
    start: u16,
}

impl Sum {
    /// Sums a file up.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let start = digest.iter().take(2).fold(0, |sum, byte| sum << 8 | u16::from(*byte));
        Self { length: bytes.len(), start }
    }
}

/// Returns where it is kept.
pub(super) fn file(context: &Context) -> PathBuf {
    context.paths.state.join("doctor.json")
}

/// Keeps other doctors away.
pub(super) fn lock(file: &Path) -> Result<fs::File, Fault> {
    files::lock(file).map_err(|error| unwritable(file, &error))
}

/// Reads it; a missing file is an empty record.
pub(super) fn load(file: &Path) -> Result<Record, Fault> {
    let Some(bytes) = plan::read(file)? else { return Ok(Record::default()) };
    let wrong = |cause: String| {
        Fault::new(Kind::Config, "the record of what doctor changed cannot be read")
            .cause(cause)
            .at(file.display())
    };
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| {
        // The text of the error could quote the file.
        let place = format!("line {}, column {}", error.line(), error.column());
        front::set_aside(wrong(place), file)
    })?;
    if record.schema == SCHEMA {
        return Ok(record);
    }
    Err(wrong(format!("it is of version {}, and this gocred knows {SCHEMA}", record.schema)))
}

/// Writes it; an empty record is a missing file.
pub(super) fn save(file: &Path, record: &mut Record) -> Result<(), Fault> {
    record.schema = SCHEMA;
    if record.steps.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(unwritable(file, &error))
            }
            _ => Ok(()),
        };
    }
    let bytes = serde_json::to_vec_pretty(record).map_err(|error| unwritable(file, &error))?;
    files::write_private(file, &bytes).map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, cause: &dyn std::fmt::Display) -> Fault {
    Fault::new(Kind::Config, "what is to be changed cannot be written down, so nothing is")
        .cause(cause)
        .at(file.display())
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn a_file_that_was_edited_has_another_sum() {
        assert_eq!(Sum::of(b"a=1\n"), Sum::of(b"a=1\n"));
        assert_ne!(Sum::of(b"a=1\n"), Sum::of(b"a=2\n"));
        assert_ne!(Sum::of(b"a=1\n"), Sum::of(b"a=1\n\n"));
    }
}
