//! Does what was planned, each step written down before it is done.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    plan::What,
    record::{self, Record, Step, Sum},
    seen::Seen,
};
use crate::{
    core::{doctor::mend::order::Swap, fault::Fault, text::printable},
    front::{
        Context,
        setup::{missing_folders, plan as setup, record as edits},
    },
    sys::{files, keep, run},
};

/// How long a program may take that mends something.
const LIMIT: Duration = Duration::from_secs(60);
/// The largest file that is edited, in bytes.
const MOST: u64 = 4 * 1024 * 1024;
/// Why something is not done.
const CHANGED: &str = "it changed while it was looked at; run it again";

/// Does one thing. A failure that leaves everything as it was is the inner error; one of the record ends it all.
pub(super) fn make(
    what: &What,
    file: &Path,
    record: &mut Record,
    context: &Context,
) -> Result<Result<(), String>, Fault> {
    let step = match step(what) {
        Ok(step) => step,
        Err(why) => return Ok(Err(why)),
    };
    let to = match &step {
        Step::Aside { to, .. } => to.clone(),
        _ => PathBuf::new(),
    };
    record.steps.push(step);
    record::save(file, record)?;
    let done = match what {
        What::Edit { file, after, .. } => keep::replace(file, after).map_err(|it| it.to_string()),
        What::Swap { file, before, swap } => exchange(file, *before, *swap),
        What::Mode { file, mode } => set_mode(file, *mode),
        What::Folder { path } => fs::create_dir_all(path).map_err(|error| error.to_string()),
        What::Aside { path, .. } => fs::rename(path, &to).map_err(|error| error.to_string()),
        What::Run { command, .. } => execute(command, context),
    };
    // The system may fail when everything is in its place already: then it is there to be taken back.
    if done.is_err() && record.steps.last().is_some_and(is_there) {
        return Ok(Ok(()));
    }
    match (&done, record.steps.last_mut()) {
        (Err(_), _) => {
            record.steps.pop();
            record::save(file, record)?;
        }
        (Ok(()), Some(Step::Run { is_made, .. })) => {
            *is_made = true;
            record::save(file, record)?;
        }
        (Ok(()), _) => {}
    }
    Ok(done)
}

/// Whether a file is as a step was to leave it.
fn is_there(step: &Step) -> bool {
    let (Step::Edit { change: edits::Change { file, .. }, left, .. }
    | Step::Swap { file, left, .. }) = step
    else {
        return false;
    };
    files::read(file, MOST).is_ok_and(|now| now.is_some_and(|now| Sum::of(&now) == *left))
}

/// Returns how it is written down, before it is done.
fn step(what: &What) -> Result<Step, String> {
    Ok(match what {
        What::Edit { file, before, edits, after } => {
            if files::read(file, MOST).ok() != Some(before.clone()) {
                return Err(CHANGED.to_owned());
            }
            Step::Edit {
                change: edits::Change {
                    file: file.clone(),
                    existed: before.is_some(),
                    folders: missing_folders(file),
                    edits: edits.iter().map(Into::into).collect(),
                },
                found: before.as_deref().map(Sum::of),
                left: Sum::of(after),
            }
        }
        What::Swap { file, before, swap } => {
            let now = files::read(file, MOST).ok().flatten();
            let now = now.filter(|now| Sum::of(now) == *before);
            let Some(after) = now.and_then(|now| swap.apply(&now)) else {
                return Err(CHANGED.to_owned());
            };
            let Swap { start, middle, end } = *swap;
            let (found, left) = (Some(*before), Sum::of(&after));
            Step::Swap { file: file.clone(), start, middle, end, found, left }
        }
        What::Mode { file, mode } => match fs::metadata(file) {
            Ok(about) => {
                let before = about.permissions().mode() & 0o7777;
                Step::Mode { file: file.clone(), before, after: *mode }
            }
            Err(error) => return Err(error.to_string()),
        },
        What::Folder { path } => Step::Folder { made: missing_folders(&path.join("x")) },
        What::Aside { path, seen } => {
            if Seen::of(path).as_ref() != Some(seen) {
                return Err(CHANGED.to_owned());
            }
            Step::Aside { from: path.clone(), to: aside(path) }
        }
        What::Run { undo, .. } => Step::Run { undo: undo.clone(), is_made: false },
    })
}

/// Has two stretches of a file change places, if it is as it was when they were found.
pub(super) fn exchange(file: &Path, before: Sum, swap: Swap) -> Result<(), String> {
    let now = files::read(file, MOST).map_err(|error| error.to_string())?;
    let now = now.filter(|now| Sum::of(now) == before);
    let after = now.and_then(|now| swap.apply(&now)).ok_or("it changed meanwhile")?;
    keep::replace(file, &after).map_err(|error| error.to_string())
}

/// Returns a name beside a path that nothing has.
fn aside(path: &Path) -> PathBuf {
    let name = |end: &str| {
        let mut name = OsString::from(path.as_os_str());
        name.push(format!(".gocred-aside{end}"));
        PathBuf::from(name)
    };
    let numbered = (2..100).map(|number| name(&format!("-{number}")));
    let mut names = std::iter::once(name("")).chain(numbered);
    names.find(|name| name.symlink_metadata().is_err()).unwrap_or_else(|| name("-last"))
}

/// Sets the bits of a file.
pub(super) fn set_mode(file: &Path, mode: u32) -> Result<(), String> {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).map_err(|error| error.to_string())
}

/// Runs a program; `gocred` is this one.
pub(super) fn execute(command: &[String], context: &Context) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let program = match program.as_str() {
        "gocred" => setup::own_program(context).map_err(|fault| fault.to_string())?,
        other => PathBuf::from(other),
    };
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let output =
        run::run(&program, &arguments, &[], b"", LIMIT).map_err(|error| error.to_string())?;
    if output.code == Some(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it gave no reason");
    Err(printable(first.strip_prefix("error: ").unwrap_or(first)))
}
