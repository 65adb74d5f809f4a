//! `gocred doctor --undo`: takes back what `--fix` did, byte for byte. A file that somebody edited since is left
//! alone: its own lines are named instead. A step that was written down and not made (a crash) is passed over
//! without a word.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    guard::{self, Deed},
    make::{exchange, execute, set_mode},
    record::{self, Step, Sum},
};
use crate::{
    core::{
        doctor::mend::{MARK, order::Swap, shown::shown},
        setup::{Edit, Reverted},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        setup::{record as edits, short},
        ui,
    },
    sys::{files, keep},
};

/// The largest file that is edited, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// Takes back everything that is written down. Exit 1: there was nothing, or something had to be left.
pub(in crate::front::doctor) fn run(context: &Context) -> Outcome {
    let file = record::file(context);
    let _lock = record::lock(&file)?;
    let mut record = record::load(&file)?;
    if record.steps.is_empty() {
        ui::out("nothing to take back: doctor has changed nothing");
        return Ok(Answer::No);
    }
    let mut kept = Vec::new();
    let mut left: BTreeSet<PathBuf> = BTreeSet::new();
    while let Some(step) = record.steps.pop() {
        // An edit is about the text that the one behind it found.
        let is_blocked = edited(&step).is_some_and(|file| left.contains(file));
        let undone = if is_blocked { Err(Vec::new()) } else { revert(&step, context) };
        let (Ok(lines) | Err(lines)) = &undone;
        for line in lines {
            ui::out(line);
        }
        if undone.is_err() {
            left.extend(edited(&step).cloned());
            kept.push(step);
        }
    }
    kept.reverse();
    let answer = if kept.is_empty() { Answer::Yes } else { Answer::No };
    record.steps = kept;
    record::save(&file, &mut record)?;
    Ok(answer)
}

/// The file whose text a step has changed.
fn edited(step: &Step) -> Option<&PathBuf> {
    match step {
        Step::Edit { change, .. } => Some(&change.file),
        Step::Swap { file, .. } => Some(file),
        Step::Mode { .. } | Step::Folder { .. } | Step::Aside { .. } | Step::Run { .. } => None,
    }
}

/// Takes a step back, and says so; or says why not, and what a person would have to do.
fn revert(step: &Step, context: &Context) -> Result<Vec<String>, Vec<String>> {
    match step {
        Step::Edit { change, found, left } => edit(change, *found, *left, context),
        Step::Swap { file, start, middle, end, found, left } => {
            let swap = Swap { start: *start, middle: *middle, end: *end };
            swap_back(file, swap, *found, *left, context)
        }
        Step::Mode { file, before, after } => {
            let name = short(file, context);
            let now = fs::metadata(file).map(|about| about.permissions().mode() & 0o7777);
            match now {
                Ok(now) if now == *after => match set_mode(file, *before) {
                    Ok(()) => Ok(vec![format!("{name}: mode {before:04o} again")]),
                    Err(error) => Err(vec![format!("{name}: the mode is left: {error}")]),
                },
                Ok(now) if now == *before => Ok(Vec::new()),
                Ok(now) => Ok(vec![format!("{name}: its mode is {now:04o} since, and stays")]),
                Err(_) => Ok(vec![format!("{name}: it does not exist any more")]),
            }
        }
        Step::Folder { made } => {
            let mut said = Vec::new();
            for folder in made {
                // One that is in use since stays.
                if fs::remove_dir(folder).is_ok() {
                    said.push(format!("{}: removed", short(folder, context)));
                }
            }
            Ok(said)
        }
        Step::Aside { from, to } => {
            let (name, other) = (short(from, context), short(to, context));
            let is_there = from.symlink_metadata().is_ok();
            if to.symlink_metadata().is_err() {
                let gone = format!("{other}: it does not exist any more");
                return Ok(if is_there { Vec::new() } else { vec![gone] });
            }
            if is_there {
                let why = format!("{other} stays: there is a new {name}; remove one of them");
                return Err(vec![why]);
            }
            match fs::rename(to, from) {
                Ok(()) => Ok(vec![format!("{name}: has its name again")]),
                Err(error) => Err(vec![format!("{other} stays: {error}")]),
            }
        }
        Step::Run { undo, is_made } => match execute(undo, context) {
            Ok(()) if undo.is_empty() => Ok(Vec::new()),
            // Nobody knows whether it came to be run: what was not, is not taken back.
            Err(_) if !is_made => Ok(Vec::new()),
            Ok(()) => Ok(vec![printable(&format!("ran {}", undo.join(" ")))]),
            Err(error) => Err(vec![printable(&format!("{}: {error}", undo.join(" ")))]),
        },
    }
}

/// Has two stretches of a file change places again. Of a file that was edited since nobody knows where they are.
fn swap_back(
    file: &Path,
    swap: Swap,
    found: Option<Sum>,
    left: Sum,
    context: &Context,
) -> Result<Vec<String>, Vec<String>> {
    let name = short(file, context);
    let stays = |why: &str| vec![printable(&format!("{name} is left as it is: {why}"))];
    if let Some(why) = guard::reason(file, Deed::Write, context) {
        return Err(stays(&why));
    }
    let now = files::read(file, MOST).map_err(|error| stays(&error.to_string()))?;
    let Some(now) = now else { return Ok(vec![format!("{name}: it does not exist any more")]) };
    if found.is_some_and(|found| found != left && Sum::of(&now) == found) {
        return Ok(Vec::new());
    }
    let back = swap.back().filter(|_| Sum::of(&now) == left);
    let back =
        back.ok_or_else(|| stays("it was edited since two of its entries changed places"))?;
    exchange(file, left, back).map_err(|error| stays(&error))?;
    Ok(vec![format!("{name}: as it was")])
}

fn edit(
    change: &edits::Change,
    found: Option<Sum>,
    left: Sum,
    context: &Context,
) -> Result<Vec<String>, Vec<String>> {
    let name = short(&change.file, context);
    let stays = |why: &str| vec![printable(&format!("{name} is left as it is: {why}"))];
    if let Some(why) = guard::reason(&change.file, Deed::Write, context) {
        return Err(stays(&why));
    }
    let now = files::read(&change.file, MOST).map_err(|error| stays(&error.to_string()))?;
    let Some(now) = now else {
        let gone = format!("{name}: it does not exist any more");
        return Ok(if change.existed { vec![gone] } else { Vec::new() });
    };
    if found.is_some_and(|found| found != left && Sum::of(&now) == found) {
        return Ok(Vec::new());
    }
    let edits: Vec<Edit> = change.edits.iter().map(Into::into).collect();
    let before = reverted(&now, &edits).filter(|_| Sum::of(&now) == left);
    let Some(before) = before else {
        let own = own_lines(&now, &edits);
        if own.is_empty() {
            return Ok(vec![format!("{name}: nothing of ours is there any more")]);
        }
        let mut said = stays("it was edited since, so these are for you to take back:");
        said.extend(own);
        return Err(said);
    };
    if before.is_empty() && !change.existed {
        fs::remove_file(&change.file).map_err(|error| stays(&error.to_string()))?;
        for folder in &change.folders {
            // One that is in use since stays.
            let _ = fs::remove_dir(folder);
        }
        return Ok(vec![format!("{name}: removed")]);
    }
    keep::replace(&change.file, &before).map_err(|error| stays(&error.to_string()))?;
    Ok(vec![format!("{name}: as it was")])
}

/// Returns the text without the edits, where each stands where it was put.
fn reverted(now: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
    edits.iter().rev().try_fold(now.to_vec(), |text, edit| match edit.revert(&text) {
        Reverted::Exactly(before) => Some(before),
        Reverted::Moved(_) | Reverted::Gone | Reverted::Ambiguous => None,
    })
}

/// Names the lines of a text that are ours.
fn own_lines(now: &[u8], edits: &[Edit]) -> Vec<String> {
    let text = String::from_utf8_lossy(now);
    let inserted: BTreeSet<&str> = edits
        .iter()
        .flat_map(|edit| edit.inserted.lines())
        .filter(|line| !line.trim().is_empty() && *line != MARK)
        .collect();
    let has_mark = edits.iter().any(|edit| edit.inserted.ends_with(MARK));
    let mut said = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if has_mark && let Some(rest) = line.strip_prefix(MARK) {
            let rest = shown(rest);
            said.push(printable(&format!("  line {number}: `{MARK}{rest}` was `{rest}`")));
        } else if inserted.contains(line) {
            said.push(printable(&format!("  line {number}: `{}` is new", shown(line))));
        }
    }
    for edit in edits.iter().filter(|edit| !edit.removed.is_empty()) {
        let Edit { removed, inserted, .. } = edit;
        said.push(printable(&format!("  where `{inserted}` is now, `{removed}` was")));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::{Edit, MARK, own_lines, reverted};

    #[test]
    fn our_lines_are_named_and_no_secret_of_theirs() {
        let edits = [Edit::insert(0, format!("GOPROXY=https://h\n{MARK}"))];
        let now = format!("new\nGOPROXY=https://h\n{MARK}GOPROXY=https://u:hunter2@h\n");
        let said = own_lines(now.as_bytes(), &edits);
        assert_eq!(said.len(), 2);
        assert!(said[0].contains("line 2") && said[1].contains("line 3"), "{said:?}");
        assert!(!said.concat().contains("hunter2"));
        assert_eq!(own_lines(b"GOPROXY=x\n", &edits), [""; 0]);
    }

    #[test]
    fn an_edit_that_was_moved_is_not_taken_back() {
        let edits = [Edit::insert(0, "ours\n")];
        assert_eq!(reverted(b"ours\nx", &edits).unwrap(), b"x");
        assert_eq!(reverted(b"new\nours\nx", &edits), None);
    }
}
