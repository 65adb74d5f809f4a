//! What `--fix` is about to do, each as it is shown: the lines that change, without what is secret in them. It
//! reads, and writes nothing.

use std::path::{Path, PathBuf};

use crate::{
    core::{
        doctor::{
            finding::Change,
            machine::{Machine, Text},
            mend::{self, MARK, order::Swap, shown::shown},
        },
        setup::Edit,
        text::printable,
    },
    front::{
        Context,
        doctor::fix::{
            guard::{self, Deed},
            record::Sum,
            seen::Seen,
        },
        setup::{difference, short},
        ui,
    },
    sys::files,
};

/// The largest file that is edited, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// A change and the code of what it mends.
pub(super) type Offer<'a> = (&'static str, &'a Change);

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// What is left, and why.
    pub(super) left: Vec<(&'static str, String)>,
}

/// One thing to do.
#[derive(Debug)]
pub(super) struct Task {
    /// What it mends.
    pub(super) codes: Vec<&'static str>,
    /// What is done.
    pub(super) what: What,
    /// How it is shown.
    pub(super) said: Vec<String>,
}

/// What is done.
#[derive(Debug)]
pub(super) enum What {
    Edit {
        file: PathBuf,
        before: Option<Vec<u8>>,
        edits: Vec<Edit>,
        after: Vec<u8>,
    },
    /// Two stretches of a file, whose bytes are looked at and not kept.
    Swap {
        file: PathBuf,
        before: Sum,
        swap: Swap,
    },
    Mode {
        file: PathBuf,
        mode: u32,
    },
    Folder {
        path: PathBuf,
    },
    Aside {
        path: PathBuf,
        /// What was there.
        seen: Seen,
    },
    Run {
        command: Vec<String>,
        undo: Vec<String>,
    },
}

/// Makes the plan.
pub(super) fn plan(offers: &[Offer<'_>], machine: &Machine, context: &Context) -> Plan {
    let mut plan = Plan::default();
    let mut files: Vec<PathBuf> = Vec::new();
    for (code, change) in offers {
        match edited(change, context) {
            Some(file) if files.contains(&file) => {}
            Some(file) => {
                plan.edit(&file, offers, machine, context);
                files.push(file);
            }
            None => plan.other(code, change, context),
        }
    }
    plan
}

/// Returns the file whose text a change edits.
fn edited(change: &Change, context: &Context) -> Option<PathBuf> {
    match change {
        Change::GoEnv { .. } => context.paths.goenv.clone(),
        Change::GitConfig { file, .. }
        | Change::GitAdd { file, .. }
        | Change::FirstHelper { file, .. }
        | Change::Unreadable { file }
        | Change::Foreign { file }
        | Change::Before { file, .. }
        | Change::Line { file, .. }
        | Change::Part { file, .. } => Some(file.clone()),
        Change::Aside { .. } | Change::Folder { .. } | Change::Mode { .. } | Change::Run { .. } => {
            None
        }
    }
}

impl Plan {
    /// Plans all changes of one file together.
    fn edit(&mut self, file: &Path, offers: &[Offer<'_>], machine: &Machine, context: &Context) {
        let own: Vec<Offer<'_>> = offers
            .iter()
            .copied()
            .filter(|(_, change)| edited(change, context).as_deref() == Some(file))
            .collect();
        let name = short(file, context);
        let mut leave = |code: &'static str, why: &str| {
            self.left.push((code, printable(&format!("{name} is left as it is: {why}"))));
        };
        let before = match read(file, machine, context) {
            Ok(before) => before,
            Err(why) => {
                for (code, _) in &own {
                    leave(code, &why);
                }
                return;
            }
        };
        let changes: Vec<&Change> = own.iter().map(|(_, change)| *change).collect();
        let planned = mend::plan(&changes, before.as_deref().unwrap_or_default());
        for (index, error) in &planned.left {
            if let Some((code, _)) = own.get(*index) {
                leave(code, &error.to_string());
            }
        }
        let mut text = before.clone().unwrap_or_default();
        let mut task = Task {
            codes: Vec::new(),
            what: What::Folder { path: PathBuf::new() },
            said: Vec::new(),
        };
        let mut edits = Vec::new();
        for (index, edit) in planned.edits {
            let (Some((code, change)), Some(after)) = (own.get(index), edit.apply(&text)) else {
                continue;
            };
            if !task.codes.contains(code) {
                task.codes.push(code);
            }
            task.said.extend(said(change, &edit, &text, &after));
            text = after;
            edits.push(edit);
        }
        // The next one stands elsewhere when this one is done.
        let mut swaps = own.iter().filter_map(|offer| swapped(offer, &text, file, &name));
        let swapped = swaps.next();
        for other in swaps {
            for code in other.codes {
                leave(code, "one entry at a time changes places; run it again");
            }
        }
        if edits.is_empty() {
            self.tasks.extend(swapped);
            return;
        }
        // One thing may be done in many places.
        task.said.dedup();
        let new = if before.is_none() { " (a new file)" } else { "" };
        task.said.insert(0, format!("{}: {name}{new}", task.codes.join(", ")));
        task.what = What::Edit { file: file.to_owned(), before, edits, after: text };
        self.tasks.push(task);
        self.tasks.extend(swapped);
    }

    /// Plans what is no text.
    fn other(&mut self, code: &'static str, change: &Change, context: &Context) {
        let mut add = |path: Option<(&Path, Deed)>, said: String, what: What| {
            let why = path.and_then(|(path, deed)| guard::reason(path, deed, context));
            if let Some(why) = why {
                self.left.push((code, printable(&format!("{said}: {why}"))));
            } else {
                let said = vec![printable(&format!("{code}: {said}"))];
                self.tasks.push(Task { codes: vec![code], what, said });
            }
        };
        match change {
            Change::Mode { file, mode } => {
                let said = format!("{}: mode {mode:04o}", short(file, context));
                let what = What::Mode { file: file.clone(), mode: *mode };
                add(Some((file, Deed::Mode)), said, what);
            }
            Change::Folder { path } => {
                let said = format!("make the folder {}", short(path, context));
                add(Some((path, Deed::Name)), said, What::Folder { path: path.clone() });
            }
            Change::Aside { paths } => {
                for path in paths {
                    let Some(seen) = Seen::of(path) else { continue };
                    let said =
                        format!("{} gets another name, and is not removed", short(path, context));
                    add(Some((path, Deed::Name)), said, What::Aside { path: path.clone(), seen });
                }
            }
            Change::Run { command, undo } => {
                let words: Vec<_> = command.iter().map(|word| ui::word(word)).collect();
                let (command, undo) = (command.clone(), undo.clone());
                add(None, format!("run {}", words.join(" ")), What::Run { command, undo });
            }
            // GOENV=off: go reads no file.
            Change::GoEnv { .. } => {
                self.left.push((code, "GOENV=off keeps go from reading its file".to_owned()));
            }
            Change::GitConfig { .. }
            | Change::GitAdd { .. }
            | Change::FirstHelper { .. }
            | Change::Unreadable { .. }
            | Change::Foreign { .. }
            | Change::Before { .. }
            | Change::Line { .. }
            | Change::Part { .. } => {}
        }
    }
}

/// Plans that an entry of netrc goes before another one, in the text as the other changes leave it.
fn swapped((code, change): &Offer<'_>, text: &[u8], file: &Path, name: &str) -> Option<Task> {
    let Change::Before { line, other, .. } = change else { return None };
    let swap = mend::order::swap(text, *line, *other).ok()?;
    let said = vec![
        format!("{code}: {name}"),
        format!("  ~ the entry of line {line} goes before that of line {other}"),
    ];
    let what = What::Swap { file: file.to_owned(), before: Sum::of(text), swap };
    Some(Task { codes: vec![code], what, said })
}

/// Reads a file that is to be edited, or says why it is not.
fn read(file: &Path, machine: &Machine, context: &Context) -> Result<Option<Vec<u8>>, String> {
    if let Some(why) = guard::reason(file, Deed::Write, context) {
        return Err(why);
    }
    let before = files::read(file, MOST).map_err(|error| error.to_string())?;
    let now = String::from_utf8_lossy(before.as_deref().unwrap_or_default());
    let seen = machine.startup.iter().chain(&machine.goenv).find(|text| text.path == *file);
    if seen.is_some_and(|seen| is_edited(seen, &now)) {
        return Err("it changed while it was looked at".to_owned());
    }
    drop(now);
    Ok(before)
}

/// Whether a file has other lines than those that were seen; those that say nothing of ours are empty there.
fn is_edited(seen: &Text, now: &str) -> bool {
    let Some(lines) = &seen.lines else { return false };
    let bare = |line: &str| line.strip_suffix('\r').unwrap_or(line).to_owned();
    let mut now = now.lines().map(bare);
    let is_same = lines
        .iter()
        .map(|line| bare(line.raw()))
        .all(|line| now.next().is_some_and(|now| line.is_empty() || line == now));
    !is_same || now.next().is_some()
}

/// Returns what an edit of a change does to a text, line by line.
fn said(change: &Change, edit: &Edit, before: &[u8], after: &[u8]) -> Vec<String> {
    let number = before.iter().take(edit.at).filter(|byte| **byte == b'\n').count() + 1;
    match change {
        // What stands around it may be secret.
        Change::Part { from, to, .. } if to.is_empty() => {
            vec![format!("  ~ line {number}: one `{from}` is taken out")]
        }
        Change::Part { from, to, .. } => {
            vec![printable(&format!("  ~ line {number}: `{from}` becomes `{to}`"))]
        }
        Change::Foreign { .. } if edit.removed == "\r" => {
            vec!["  ~ the carriage returns at the ends of its lines are taken out".to_owned()]
        }
        Change::Foreign { .. } => {
            vec!["  ~ the byte order mark at its start is taken out".to_owned()]
        }
        Change::Before { .. } => vec!["  ~ its last line gets an end".to_owned()],
        // Nobody can tell what is in a line that cannot be read.
        Change::Line { text: None, .. } | Change::Unreadable { .. } if edit.inserted == MARK => {
            vec![format!("  ~ line {number} becomes a comment")]
        }
        Change::GitConfig { key, .. } => {
            let name = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            let is_head = |line: &str| line.to_ascii_lowercase().contains(&name);
            difference(before, after, &|line| {
                if is_head(line) { shown(line) } else { "…".into() }
            })
        }
        _ => difference(before, after, &shown),
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Edit, said};

    #[test]
    fn a_change_is_shown_without_what_is_secret() {
        let key = "http.extraheader".to_owned();
        let git = Change::GitConfig { file: "f".into(), key, line: None, value: None };
        let before = b"[http]\n\textraHeader = \"\\\n hunter2\"\n";
        let mut text = before.to_vec();
        let mut lines = Vec::new();
        for at in [7, 41] {
            let edit = Edit::insert(at, "# gocred doctor: ");
            let after = edit.apply(&text).unwrap();
            lines.extend(said(&git, &edit, &text, &after));
            text = after;
        }
        assert!(lines.len() == 4 && !lines.concat().contains("hunter2"), "{lines:?}");
        let part = Change::Part {
            file: "f".into(),
            line: 1,
            nth: 0,
            from: "\"".into(),
            to: String::new(),
        };
        let edit = Edit { at: 9, removed: "\"".into(), inserted: String::new() };
        let lines = said(&part, &edit, b"password \"hunter2\"", b"password hunter2\"");
        assert_eq!(lines, ["  ~ line 1: one `\"` is taken out"]);
    }
}
