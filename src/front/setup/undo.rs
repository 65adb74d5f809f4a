//! `gocred setup --undo`: takes back our own edits and nothing else.
//!
//! A file that nobody touched since comes back byte for byte, also as "did not exist". In a file that
//! was edited since, only our lines go. It never writes over an edit that it does not know.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    core::{
        fault::{Fault, Kind},
        setup::{Edit, Reverted},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        setup::{plan, record},
        ui,
    },
    sys::files,
};

/// Whether files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Mode {
    /// They are.
    Execute,
    /// Only said.
    Show,
}

/// Runs it. Exit 1: there was nothing to take back, or something had to be left.
pub(super) fn run(context: &Context, mode: Mode) -> Outcome {
    let file = record::file(context);
    let _lock = super::lock(&file)?;
    let mut record = record::load(&file)?;
    if record.changes.is_empty() {
        ui::out("nothing to take back: setup has changed no file");
        return Ok(Answer::No);
    }
    let mut kept = Vec::new();
    let is_front = record.changes.iter().any(|change| change.file == context.paths.config);
    while let Some(change) = record.changes.pop() {
        let reverted = revert(&change, &super::short(&change.file, context), mode)?;
        for line in &reverted.said {
            ui::out(line);
        }
        if mode == Mode::Execute {
            write(&change, &reverted)?;
        }
        if !reverted.left.is_empty() {
            kept.push(record::Change { edits: reverted.left, ..change });
        }
    }
    kept.reverse();
    let answer = if kept.is_empty() { Answer::Yes } else { Answer::No };
    if mode == Mode::Execute {
        record.changes = kept;
        record::save(&file, &mut record)?;
        if is_front {
            super::goproxy::take_up(context);
        }
    }
    Ok(answer)
}

/// What a file becomes.
pub(in crate::front) struct Back {
    /// `None`: it is gone already.
    bytes: Option<Vec<u8>>,
    /// What the person is told.
    pub(in crate::front) said: Vec<String>,
    /// The edits that could not be taken back.
    pub(in crate::front) left: Vec<record::EditRow>,
}

/// Returns what a file becomes without our edits.
pub(in crate::front) fn revert(
    change: &record::Change,
    name: &str,
    mode: Mode,
) -> Result<Back, Fault> {
    let took = match mode {
        Mode::Execute => "took",
        Mode::Show => "would take",
    };
    let Some(mut bytes) = plan::read(&change.file)? else {
        return Ok(Back {
            bytes: None,
            said: vec![format!("{name}: it does not exist any more")],
            left: Vec::new(),
        });
    };
    let (mut said, mut left) = (Vec::new(), Vec::new());
    for row in change.edits.iter().rev() {
        let edit = Edit::from(row);
        let lines: Vec<&str> = edit.inserted.lines().map(str::trim).collect();
        let text = printable(lines.join(" ").trim());
        match edit.revert(&bytes) {
            Reverted::Exactly(before) => {
                bytes = before;
                said.push(format!("{name}: {took} back `{text}`"));
            }
            Reverted::Moved(before) => {
                bytes = before;
                said.push(format!("{name}: {took} back `{text}`; what was edited since stays"));
            }
            Reverted::Gone => said.push(format!("{name}: `{text}` was gone already")),
            Reverted::Ambiguous => {
                said.push(format!(
                    "{name}: `{text}` is there more than once and stays; remove ours by hand"
                ));
                left.push(record::EditRow::from(&edit));
            }
        }
    }
    left.reverse();
    Ok(Back { bytes: Some(bytes), said, left })
}

/// Writes what a file becomes.
pub(in crate::front) fn write(change: &record::Change, back: &Back) -> Result<(), Fault> {
    let file = &change.file;
    let Some(bytes) = &back.bytes else { return remove_folders(&change.folders) };
    if bytes.is_empty() && !change.existed {
        fs::remove_file(file).map_err(|error| unwritable(file, &error))?;
        files::forget_lock(file);
        return remove_folders(&change.folders);
    }
    files::write_private(file, bytes).map_err(|error| unwritable(file, &error))
}

/// Removes the folders that setup made, where they are empty.
fn remove_folders(folders: &[PathBuf]) -> Result<(), Fault> {
    for folder in folders {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) {
            fs::remove_dir(folder).map_err(|error| unwritable(folder, &error))?;
        }
    }
    Ok(())
}

/// Says that a file could not be written.
pub(super) fn unwritable(file: &Path, cause: &dyn std::fmt::Display) -> Fault {
    Fault::new(Kind::Config, "a file that setup edits cannot be written")
        .cause(cause)
        .at(file.display())
}
