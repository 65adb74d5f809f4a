//! `gocred setup`: wires git and go to gocred, and go to the module proxy front, and takes it back.
//!
//! It shows every change before it makes it, keeps everything else in the files, and never copies a
//! file: what it remembers for `--undo` is its own text.

mod goproxy;
pub(crate) mod plan;
pub(in crate::front) mod record;
pub(in crate::front) mod undo;

use std::path::{Path, PathBuf};

use goproxy::Goproxy;
use plan::{Change, Plan};
pub(crate) use plan::{Wanted, own_program};

use crate::{
    cli::Setup,
    core::{
        doctor::mend::shown::shown,
        door,
        fault::{Fault, Kind},
        setup::{gitconfig, goenv},
        text::printable,
    },
    front::{
        Answer, Context, Outcome, env_cmd,
        login::prompt::{self, Consent},
        mirror, proxy_cmd, ui,
        wiring::Wiring,
    },
    sys::files,
};

/// Runs the command.
pub fn run(arguments: &Setup, context: &Context) -> Outcome {
    if arguments.undo {
        let mode = if arguments.dry_run { undo::Mode::Show } else { undo::Mode::Execute };
        return undo::run(context, mode);
    }
    let wanted = wanted(arguments, context)?;
    let plan = plan::plan(&wanted, context)?;
    show(&plan, context);
    if arguments.dry_run {
        return Ok(Answer::Yes);
    }
    let consent = if arguments.yes || plan.changes.is_empty() {
        Consent::Given
    } else if prompt::is_attended(&context.env) {
        prompt::consent("Write this?")?
    } else {
        return Err(Fault::new(Kind::Usage, "nobody is at the terminal to agree")
            .hint("run `gocred setup --yes`, or `gocred setup --dry-run` to look first"));
    };
    match consent {
        Consent::Given => {
            execute(&plan, context)?;
            if !plan.changes.is_empty() {
                ui::out("done; `gocred setup --undo` takes it back");
            }
            if wanted.git {
                note_earlier_helper(context);
            }
            if let Some(front) = plan.front {
                goproxy::note_unready(front, &plan, context);
            }
            if wanted.proxy.is_some() {
                ui::out(
                    "go has no file for a proxy: put `eval \"$(gocred env)\"` into your shell's profile",
                );
            }
            Ok(Answer::Yes)
        }
        Consent::Refused => {
            ui::out("nothing was changed");
            Ok(Answer::No)
        }
    }
}

/// Wires git and go as part of a login. `ask`: after showing the change, only with consent.
pub(crate) fn offer(wanted: &Wanted, ask: Ask, context: &Context) -> Result<Offered, Fault> {
    let plan = plan::plan(wanted, context)?;
    if plan.changes.is_empty() {
        return Ok(Offered::Wired);
    }
    match ask {
        Ask::Never => note(&plan),
        Ask::First => {
            show(&plan, context);
            let only_paths = Wanted { paths: true, ..Wanted::default() } == *wanted;
            let question = if only_paths {
                "Let git say which path of such a host it asks for?"
            } else {
                "Wire git and go to gocred?"
            };
            if prompt::consent(question)? == Consent::Refused {
                return Ok(Offered::Declined);
            }
        }
    }
    execute(&plan, context)?;
    let files = plan.changes.iter().map(|change| short(&change.file, context));
    Ok(Offered::Written(files.collect()))
}

/// Returns whether there is nothing to wire.
pub(crate) fn is_done(wanted: &Wanted, context: &Context) -> Result<bool, Fault> {
    Ok(plan::plan(wanted, context)?.changes.is_empty())
}

/// Whether a person is asked before files change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The change is shown, and needs a yes.
    First,
    /// The person said so on the command line.
    Never,
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// The person said no.
    Declined,
    /// There was nothing to change.
    Wired,
    /// These files were written; for display.
    Written(Vec<String>),
}

/// Says which helper git still asks before ours: that of an included file, say.
fn note_earlier_helper(context: &Context) {
    let wiring = Wiring::read(context);
    let first = wiring.helpers(None).first().copied();
    if let Some(first) = first.filter(|first| !gitconfig::runs_gocred(&first.value)) {
        let file = first.origin.strip_prefix("file:").unwrap_or(&first.origin);
        ui::err(&format!("note: git asks a helper of {} before gocred", printable(file)));
    }
}

fn wanted(arguments: &Setup, context: &Context) -> Result<Wanted, Fault> {
    let Setup { git, go, goproxy, mirror, private, proxy, dry_run: _, yes: _, undo: _ } = arguments;
    let is_narrow = *git || *go || *goproxy || mirror.is_some() || *proxy || !private.is_empty();
    let everything = !is_narrow;
    let goproxy = match mirror {
        Some(mirror) => Goproxy::Mirror(chosen(mirror, context)?),
        None if *goproxy => Goproxy::Asked,
        // Who says `--go` hears that it needs a port.
        None if everything && !goproxy::has_port(context) => Goproxy::No,
        None if (*go || everything) && goproxy::is_expected(context) => Goproxy::IfServed,
        None => Goproxy::No,
    };
    Ok(Wanted {
        git: *git || everything,
        go: *go || everything,
        private: private.clone(),
        paths: false,
        proxy: proxy.then(|| proxy_url(context, *git || everything)),
        goproxy,
    })
}

/// Finds the module proxy that was chosen, and says what it is.
fn chosen(text: &str, context: &Context) -> Result<mirror::Mirror, Fault> {
    let mirror = mirror::find(text, context)?;
    ui::out(&mirror.about);
    for note in &mirror.notes {
        ui::err(&format!("note: {note}"));
    }
    Ok(mirror)
}

/// Returns the URL for git's `http.proxy`. With our user name in it, git asks our helper for what
/// opens the door, and shows what the helper says. Without the helper it would ask the person.
fn proxy_url(context: &Context, wires_git: bool) -> String {
    let url = env_cmd::proxy_url(context);
    match url.strip_prefix("http://") {
        Some(place) if wires_git || Wiring::read(context).is_git_wired(None) => {
            format!("http://{}@{place}", door::USER)
        }
        Some(_) | None => url,
    }
}

/// Shows the plan as a small diff. Of the user's own text only the lines are shown that change.
fn show(plan: &Plan, context: &Context) {
    for change in &plan.changes {
        let new = if change.before.is_none() { " (new file)" } else { "" };
        ui::out(&format!("{}{new}", short(&change.file, context)));
        let mut bytes = change.before.clone().unwrap_or_default();
        for edit in &change.edits {
            let after = edit.apply(&bytes).unwrap_or_else(|| bytes.clone());
            for line in difference(&bytes, &after, &|line| shown(goenv::shown(line))) {
                ui::out(&line);
            }
            bytes = after;
        }
    }
    if plan.changes.is_empty() {
        ui::out("nothing to change: it is wired already");
    }
    note(plan);
}

fn note(plan: &Plan) {
    for note in &plan.notes {
        ui::err(&format!("note: {note}"));
    }
}

/// Returns the lines that differ, each as `shown` shows it, after the common lines at both ends are cut.
pub(super) fn difference(
    before: &[u8],
    after: &[u8],
    shown: &dyn Fn(&str) -> String,
) -> Vec<String> {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let (mut old, mut new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    // From the end first: what is put above a similar section then begins with its own first line.
    while old.last().is_some() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    let common = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    old.drain(..common);
    new.drain(..common);
    let line = |sign: &str, line: &&str| {
        printable(&format!("  {sign} {}", shown(line).replace('\t', "    ")))
    };
    let removed = old.iter().map(|old| line("-", old));
    removed.chain(new.iter().map(|new| line("+", new))).collect()
}

/// Writes the files, each recorded for `--undo` before it is written.
fn execute(plan: &Plan, context: &Context) -> Result<(), Fault> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let record_file = record::file(context);
    let _lock = lock(&record_file)?;
    let mut record = record::load(&record_file)?;
    for change in &plan.changes {
        let Change { file, before, edits, after, gate } = change;
        if gate.is_some_and(|front| !proxy_cmd::serves(&front.to_string(), context)) {
            continue;
        }
        // A login writes the configuration, too. A new one has no folder yet, which undo removes.
        let is_config = *file == context.paths.config;
        let _lock = (is_config && before.is_some()).then(|| lock(file)).transpose()?;
        if plan::read(file)? != *before {
            return Err(undo::unwritable(file, &"it changed while setup was running"));
        }
        record.changes.push(record::Change {
            file: file.clone(),
            existed: before.is_some(),
            folders: missing_folders(file),
            edits: edits.iter().map(Into::into).collect(),
        });
        record::save(&record_file, &mut record)?;
        files::write_private(file, after).map_err(|error| undo::unwritable(file, &error))?;
        if is_config {
            goproxy::take_up(context);
        }
    }
    Ok(())
}

fn lock(record: &Path) -> Result<std::fs::File, Fault> {
    files::lock(record).map_err(|error| undo::unwritable(record, &error))
}

/// Returns the folders above a file that do not exist, innermost first.
pub(in crate::front) fn missing_folders(file: &Path) -> Vec<PathBuf> {
    let above = file.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    above.take_while(|folder| !folder.exists()).map(Path::to_owned).collect()
}

pub(crate) fn short(file: &Path, context: &Context) -> String {
    let name = match file.strip_prefix(&context.paths.home) {
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => file.display().to_string(),
    };
    printable(&name)
}
