//! The folder that is built, and its files: what go refuses there before it asks anybody. E49, E51, E52, G33.

use std::path::{Path, PathBuf};

use crate::core::{
    doctor::{
        checks::{Facts, fix, govars},
        finding::{Finding, Kind, Severity, Tool},
        gomod,
        machine::{Module, What},
        place::Place,
        target::Target,
    },
    text::printable,
};

/// Returns what is wrong with them; it matters for nothing else than the folder itself.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    if *facts.target != Target::Here {
        return Vec::new();
    }
    let mut found: Vec<Finding> = foreign(facts).into_iter().collect();
    if let Some(module) = &facts.machine.module {
        found.extend(replaced(facts, module));
        found.extend(workspace(facts, module));
        found.extend(flag(facts, module));
    }
    found
}

fn start(facts: &Facts<'_>, code: &'static str, cause: String, seen: (Place, String)) -> Finding {
    let (place, observed) = seen;
    facts
        .finding(code, Severity::Error, cause)
        .seen(Kind::File, place, observed, "")
        .affects(&[Tool::Go])
}

/// E51: `replace x => ../y`, and nothing is there (cmd/go `modload.goModSummary`).
fn replaced(facts: &Facts<'_>, module: &Module) -> Option<Finding> {
    let file = &module.go_mod;
    let root = file.path.parent()?;
    let (path, folder, line) = gomod::folders(file)
        .into_iter()
        .find(|(_, folder, _)| !root.join(folder).join("go.mod").is_file_of(facts))?;
    let at = root.join(&folder);
    let place = Place::File(file.path.clone(), Some(line));
    let (path, folder) = (printable(&path), printable(&folder));
    let cause =
        format!("{place} takes {path} from {folder}, and there is no module at {}.", at.display());
    let finding = start(facts, "E51", cause, (place, format!("{path} => {folder}")));
    Some(
        finding
            .reproduce("go list -m all")
            .run(format!("go mod edit -dropreplace={}", fix::quoted(&path)))
            .explains(&["M17"]),
    )
}

/// Whether what was looked at is a file. What nobody looked at is taken for one.
trait Looked {
    fn is_file_of(&self, facts: &Facts<'_>) -> bool;
}

impl Looked for PathBuf {
    fn is_file_of(&self, facts: &Facts<'_>) -> bool {
        facts.machine.paths.get(self).is_none_or(|stat| stat.what == What::File)
    }
}

/// E52: a workspace that does not use this module (go.dev/ref/mod#workspaces).
fn workspace(facts: &Facts<'_>, module: &Module) -> Option<Finding> {
    let work = module.go_work.as_ref()?;
    let root = module.go_mod.path.parent()?;
    let above = work.path.parent()?;
    if work.lines.is_none() {
        return named(facts, work);
    }
    if let Some(lost) = module.used.iter().find(|used| used.lines.is_none()) {
        let cause = format!(
            "{} uses a folder in which there is no {}: go refuses the whole workspace.",
            work.path.display(),
            lost.path.display()
        );
        let at = (Place::File(work.path.clone(), None), "a `use` of nothing".to_owned());
        let folder = lost.path.parent()?.display().to_string();
        let command = format!("go work edit -dropuse={}", fix::quoted(&folder));
        return Some(start(facts, "E52", cause, at).reproduce("go list -m").run(command));
    }
    let is_used = gomod::used(work).iter().any(|folder| normal(&above.join(folder)) == root);
    if is_used {
        return None;
    }
    let (work, root) = (work.path.clone(), root.display());
    let cause = format!(
        "{} is in force and does not use {root}: go passes over the go.mod that is there.",
        work.display()
    );
    let at = (Place::File(work, None), format!("no `use` of {root}"));
    Some(start(facts, "E52", cause, at).reproduce("go env GOWORK").run("go work use ."))
}

/// E52: GOWORK names a file that cannot be read, or by a relative path (cmd/go `modload.FindGoWork`).
fn named(facts: &Facts<'_>, work: &crate::core::doctor::machine::Text) -> Option<Finding> {
    let (value, place) = facts.go("GOWORK")?;
    let why = if work.path.is_absolute() { "which cannot be read" } else { "a relative path" };
    let cause = format!("GOWORK ({place}) names {value}, {why}: go refuses every command here.");
    let finding = start(facts, "E52", cause, (place, format!("GOWORK={value}")))
        .reproduce("go env GOWORK")
        .explains(&["M17"]);
    Some(fix::go(facts, finding, "GOWORK", None))
}

/// Takes `.` and `..` out of a path, as go does before it compares (`filepath.Clean`).
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// E49: `-mod=mod` of GOFLAGS in a workspace, which takes `readonly` and `vendor` only (cmd/go
/// `modload.setDefaultBuildMod`).
fn flag(facts: &Facts<'_>, module: &Module) -> Option<Finding> {
    let work = module.go_work.as_ref()?;
    let (_, place) = facts.go("GOFLAGS")?;
    let mode = govars::flag(facts, "mod").filter(|mode| mode == "mod")?;
    let cause = format!(
        "GOFLAGS ({place}) carries -mod={mode} into every command, and {} is in force: go takes only readonly and vendor in a workspace.",
        work.path.display()
    );
    let finding = start(facts, "E49", cause, (place, format!("GOFLAGS=… -mod={mode}")))
        .reproduce("go env GOFLAGS GOWORK");
    Some(fix::go(facts, finding, "GOFLAGS", None))
}

/// G33: git works in nobody else's repository (git's `ensure_valid_ownership`), and go asks git for the version
/// that it writes into a program.
fn foreign(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let (path, stat) = machine.folder.ancestors().find_map(|folder| {
        let path = folder.join(".git");
        let stat = machine.paths.get(&path).filter(|stat| stat.what != What::Missing)?;
        Some((path, *stat))
    })?;
    let root = path.parent()?;
    let is_safe = machine.git_values("safe.directory").any(|value| {
        let named = value.value.raw();
        named == "*"
            || Path::new(named.trim_end_matches("/*")) == root
            || root.starts_with(named.strip_suffix("/*").unwrap_or("\0"))
    });
    let is_sudo = machine.uid == 0 && machine.variable("SUDO_UID").is_some();
    if stat.owner == machine.uid || is_safe || is_sudo || cfg!(windows) {
        return None;
    }
    let cause = format!(
        "{} belongs to user {}, and this is user {}: git refuses to work there, and so `go build` cannot read the version that it stamps.",
        path.display(),
        stat.owner,
        machine.uid
    );
    let seen = (Place::File(path.clone(), None), format!("owner {}", stat.owner));
    let shown = fix::quoted(&root.display().to_string());
    Some(
        start(facts, "G33", cause, seen)
            .affects(&[Tool::Git])
            .reproduce(format!("git -C {shown} status"))
            .run(format!("git config --global --add safe.directory {shown}")),
    )
}
