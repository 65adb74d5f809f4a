//! `gocred import --undo`: puts the files back as they were before the last `import`.
//!
//! It deliberately takes nothing out of the store: what a file has again may have been changed since.

use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        fault::{Fault, Kind},
        import::{MAX_FILE, backup::Backup, edit},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        import::sealed::{self, Sealed},
        setup::short,
        ui,
    },
    store::Store,
    sys::files,
};

/// What is done about a file that was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// It is left, and told.
    Refuse,
    /// What went goes back to where its surroundings are.
    Force,
}

/// Undoes the last run.
pub(super) fn run(store: &mut dyn Store, changed: Changed, context: &Context) -> Outcome {
    let mut all = sealed::all(store)?;
    let Some(run) = all.last().map(|sealed| sealed.run) else {
        ui::out("nothing was taken out of a file that could be put back");
        return Ok(Answer::No);
    };
    all.retain(|sealed| sealed.run == run);
    let mut problems = Vec::new();
    for sealed in all.iter().rev() {
        match put_back(sealed, changed, context) {
            Ok(told) => {
                ui::out(&told);
                sealed::forget(store, sealed)?;
            }
            Err(problem) => problems.push(problem),
        }
    }
    let last = problems.pop();
    for problem in problems {
        ui::err(&problem.to_string());
    }
    if let Some(last) = last {
        return Err(last);
    }
    ui::err("hint: the store keeps the secrets, too; `gocred logout HOST` forgets a host there");
    Ok(Answer::Yes)
}

/// Puts one file back; returns what to tell.
fn put_back(sealed: &Sealed, changed: Changed, context: &Context) -> Result<String, Fault> {
    if !sealed.is_whole {
        return Ok("an `import` that was ended early had changed nothing".to_owned());
    }
    let Some(backup) = &sealed.backup else {
        return lost(changed);
    };
    let Backup { file, before, after, splices } = backup;
    let file = &PathBuf::from(file);
    let shown = short(file, context);
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    let now = files::read(file, limit).map_err(|error| problem(file, &error, context))?;
    let now = Zeroizing::new(now.unwrap_or_default());
    let hash = sealed::hash(&now);
    if hash == *before {
        return Ok(format!("{shown} is as it was already"));
    }
    if hash == *after {
        let source = edit::revert(&now, splices).filter(|source| sealed::hash(source) == *before);
        let source = source
            .ok_or_else(|| problem(file, &"what the store keeps for it does not fit", context))?;
        write(file, &source, context)?;
        return Ok(format!("{shown} is as it was before"));
    }
    let whole = match changed {
        Changed::Refuse => {
            return Err(problem(file, &"it was changed since", context)
                .hint("take your change out again and run the command again")
                .hint("or: `gocred import --undo --force` puts the secrets between its lines"));
        }
        Changed::Force => edit::put_back(&now, splices),
    };
    match whole {
        Some(whole) => {
            write(file, &whole, context)?;
            Ok(format!("{shown} has its secrets again, and keeps what was changed since"))
        }
        None => Ok(format!(
            "{shown} was rewritten since: there is no place for its secrets any more; \
             `gocred export` shows those that the store keeps"
        )),
    }
}

/// A record that cannot be read keeps the earlier ones from being undone, unless it goes.
fn lost(changed: Changed) -> Result<String, Fault> {
    match changed {
        Changed::Force => Ok("what the store kept for one file cannot be read; \
                              `gocred export` shows its secrets"
            .to_owned()),
        Changed::Refuse => {
            Err(Fault::new(Kind::Store, "what the store keeps for one file is damaged")
                .hint("`gocred export` shows the secrets; `gocred import --undo --force` goes on"))
        }
    }
}

fn write(file: &Path, bytes: &[u8], context: &Context) -> Result<(), Fault> {
    let swept = if file.exists() { files::sweep(file) } else { Ok(()) };
    let written = swept.and_then(|()| files::write_private(file, bytes));
    written.map_err(|error| problem(file, &error, context))
}

fn problem(file: &Path, cause: &dyn std::fmt::Display, context: &Context) -> Fault {
    let shown = short(file, context);
    Fault::new(Kind::Config, format!("{shown} was not put back"))
        .cause(printable(&cause.to_string()))
        .at(shown)
}
