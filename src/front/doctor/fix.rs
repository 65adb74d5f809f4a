//! `gocred doctor --fix` and `--undo`: makes the changes that findings name, each written down before it is
//! made, and takes them back byte for byte.
//!
//! It keeps no copy of a file (`core::doctor::mend`), and runs nothing but what a finding names as data.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    cli::Doctor,
    core::{
        doctor::{
            finding::{Change, Finding, Report},
            mend,
            private::Private,
        },
        fault::{Fault, Kind},
        setup,
        text::printable,
    },
    front::{
        self, Answer, Context, Outcome,
        login::prompt::{self, Consent},
        setup::{missing_folders, plan, record, short, undo},
        ui,
    },
    sys::{files, run},
};

/// The grammar of the record.
const SCHEMA: u32 = 1;
/// How long a program may take that mends something.
const LIMIT: Duration = Duration::from_secs(60);

/// What was done, oldest first.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Record {
    schema: u32,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Edit(record::Change),
    Mode { file: PathBuf, before: u32, after: u32 },
    Folder { made: Vec<PathBuf> },
    Run { undo: Vec<String> },
}

/// Makes what the findings of a report name. Exit 1: something is left that only a person can mend.
pub(super) fn run(report: &Report, arguments: &Doctor, context: &Context) -> Outcome {
    let mut all = Vec::new();
    collect(&report.findings, &mut all);
    let by_program = |it: &&&Finding| it.fix.change.as_ref().is_some_and(|it| !holds_secret(it));
    let by_hand: Vec<_> = all.iter().filter(|it| !by_program(it)).collect();
    let mut changes: Vec<(&str, &Change)> = Vec::new();
    for finding in all.iter().filter(by_program) {
        if let Some(change) = &finding.fix.change
            && !changes.iter().any(|(_, known)| *known == change)
        {
            changes.push((finding.entry.code, change));
        }
    }
    for finding in &by_hand {
        let Finding { entry, fix, .. } = finding;
        let what = if fix.command.is_empty() { &fix.text } else { &fix.command };
        ui::out(&printable(&format!("{}: by hand: {what}", entry.code)));
    }
    for (code, change) in &changes {
        for line in said(change, context)? {
            ui::out(&printable(&format!("{code}: {line}")));
        }
    }
    if changes.is_empty() {
        ui::out("nothing here can be mended by a program");
        return Ok(if by_hand.is_empty() { Answer::Yes } else { Answer::No });
    }
    if arguments.dry_run {
        return Ok(Answer::Yes);
    }
    if !arguments.yes {
        if !prompt::is_attended(&context.env) {
            let fault = Fault::new(Kind::Usage, "nobody is there who could agree to the changes");
            return Err(fault.hint("gocred doctor --fix --yes"));
        }
        if prompt::consent("Make these changes?")? == Consent::Refused {
            return Ok(Answer::No);
        }
    }
    let file = file(context);
    let _lock = lock(&file)?;
    let mut record = load(&file)?;
    for (_, change) in changes {
        make(change, &file, &mut record, context)?;
    }
    ui::out("done; `gocred doctor --undo` takes it back");
    Ok(if by_hand.is_empty() { Answer::Yes } else { Answer::No })
}

/// Takes back everything that is written down.
pub(super) fn take_back(context: &Context) -> Outcome {
    let file = file(context);
    let _lock = lock(&file)?;
    let mut record = load(&file)?;
    if record.steps.is_empty() {
        ui::out("nothing to take back: doctor has changed nothing");
        return Ok(Answer::No);
    }
    let mut kept = Vec::new();
    while let Some(step) = record.steps.pop() {
        kept.extend(revert(step, context)?);
    }
    kept.reverse();
    let answer = if kept.is_empty() { Answer::Yes } else { Answer::No };
    record.steps = kept;
    save(&file, &mut record)?;
    Ok(answer)
}

/// Whether a change would write a password: it would be shown, and written down for `--undo`.
fn holds_secret(change: &Change) -> bool {
    let text = match change {
        Change::GitConfig { value, .. } | Change::GoEnv { value, .. } => value.as_deref(),
        Change::Line { text, .. } => text.as_deref(),
        Change::Folder { .. } | Change::Mode { .. } | Change::Run { .. } => None,
    };
    text.is_some_and(|text| Private::new(text).to_string() != text)
}

fn collect<'a>(findings: &'a [Finding], into: &mut Vec<&'a Finding>) {
    for finding in findings {
        into.push(finding);
        collect(&finding.consequences, into);
    }
}

/// Says what a change does.
fn said(change: &Change, context: &Context) -> Result<Vec<String>, Fault> {
    Ok(match change {
        Change::GoEnv { .. } | Change::GitConfig { .. } | Change::Line { .. } => {
            let path = path(change, context)?;
            let before = plan::read(&path)?.unwrap_or_default();
            let edits = mend::edits(change, &before).map_err(|error| left(&path, &error))?;
            let name = short(&path, context);
            let lines = edits.iter().map(|edit| {
                let rest = before.get(edit.at..).unwrap_or_default();
                let text = edit.inserted.trim();
                if text.ends_with("gocred doctor:") && !rest.is_empty() {
                    format!("{name}: one line becomes a comment")
                } else {
                    format!("{name}: + {}", text.replace('\n', " "))
                }
            });
            lines.collect()
        }
        Change::Folder { path } => vec![format!("make the folder {}", path.display())],
        Change::Mode { file, mode } => vec![format!("{}: mode {mode:04o}", short(file, context))],
        Change::Run { command, undo: _ } => {
            let words: Vec<_> = command.iter().map(|word| ui::word(word)).collect();
            vec![format!("run {}", words.join(" "))]
        }
    })
}

/// The file that a change edits.
fn path(change: &Change, context: &Context) -> Result<PathBuf, Fault> {
    Ok(match change {
        Change::GoEnv { .. } => plan::goenv_file(context)?,
        Change::GitConfig { file, .. } | Change::Line { file, .. } | Change::Mode { file, .. } => {
            file.clone()
        }
        Change::Folder { path } => path.clone(),
        Change::Run { .. } => PathBuf::new(),
    })
}

fn make(change: &Change, file: &Path, record: &mut Record, context: &Context) -> Result<(), Fault> {
    match change {
        Change::GoEnv { .. } | Change::GitConfig { .. } | Change::Line { .. } => {
            let path = path(change, context)?;
            let before = plan::read(&path)?;
            let text = before.as_deref().unwrap_or_default();
            let edits = mend::edits(change, text).map_err(|error| left(&path, &error))?;
            let after = setup::apply(text, &edits)
                .ok_or_else(|| left(&path, &"it changed while it was looked at"))?;
            record.steps.push(Step::Edit(record::Change {
                file: path.clone(),
                existed: before.is_some(),
                folders: missing_folders(&path),
                edits: edits.iter().map(Into::into).collect(),
            }));
            save(file, record)?;
            files::write_private(&path, &after).map_err(|error| unmade(&path, &error))
        }
        Change::Folder { path } => {
            let mut made = missing_folders(&path.join("x"));
            made.retain(|folder| !folder.exists());
            record.steps.push(Step::Folder { made });
            save(file, record)?;
            fs::create_dir_all(path).map_err(|error| unmade(path, &error))
        }
        Change::Mode { file: of, mode } => {
            let before = fs::metadata(of).map_err(|error| unmade(of, &error))?.permissions().mode();
            let (before, after) = (before & 0o7777, *mode);
            record.steps.push(Step::Mode { file: of.clone(), before, after });
            save(file, record)?;
            set_mode(of, after)
        }
        Change::Run { command, undo } => {
            record.steps.push(Step::Run { undo: undo.clone() });
            save(file, record)?;
            execute(command)
        }
    }
}

fn revert(step: Step, context: &Context) -> Result<Option<Step>, Fault> {
    match step {
        Step::Edit(change) => {
            let name = short(&change.file, context);
            let back = undo::revert(&change, &name, undo::Mode::Execute)?;
            for line in &back.said {
                ui::out(line);
            }
            undo::write(&change, &back)?;
            let left = back.left;
            return Ok(
                (!left.is_empty()).then_some(Step::Edit(record::Change { edits: left, ..change }))
            );
        }
        Step::Mode { file, before, after } => {
            let now = fs::metadata(&file).map(|about| about.permissions().mode() & 0o7777);
            if now.is_ok_and(|now| now == after) {
                set_mode(&file, before)?;
                ui::out(&format!("{}: mode {before:04o} again", short(&file, context)));
            }
        }
        Step::Folder { made } => {
            for folder in made {
                // One that is in use since stays.
                let _ = fs::remove_dir(folder);
            }
        }
        Step::Run { undo } => {
            if !undo.is_empty() {
                execute(&undo)?;
            }
        }
    }
    Ok(None)
}

fn set_mode(file: &Path, mode: u32) -> Result<(), Fault> {
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
        .map_err(|error| unmade(file, &error))
}

fn execute(command: &[String]) -> Result<(), Fault> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let output = run::run(Path::new(program), &arguments, &[], b"", LIMIT)
        .map_err(|error| unmade(Path::new(program), &error))?;
    if output.code == Some(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it gave no reason");
    Err(unmade(Path::new(program), &printable(first)))
}

fn file(context: &Context) -> PathBuf {
    context.paths.state.join("doctor.json")
}

fn lock(file: &Path) -> Result<fs::File, Fault> {
    files::lock(file).map_err(|error| unmade(file, &error))
}

fn load(file: &Path) -> Result<Record, Fault> {
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

fn save(file: &Path, record: &mut Record) -> Result<(), Fault> {
    record.schema = SCHEMA;
    if record.steps.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unmade(file, &error)),
            _ => Ok(()),
        };
    }
    let bytes = serde_json::to_vec_pretty(record).map_err(|error| unmade(file, &error))?;
    files::write_private(file, &bytes).map_err(|error| unmade(file, &error))
}

fn unmade(file: &Path, cause: &dyn std::fmt::Display) -> Fault {
    Fault::new(Kind::Config, "a change could not be made").cause(cause).at(file.display())
}

fn left(file: &Path, cause: &dyn std::fmt::Display) -> Fault {
    Fault::new(Kind::Config, "a file is left as it is").cause(cause).at(file.display())
}
