//! The folder that is built, and its files: what go refuses there before it asks anybody. E49, E51, E52, G33.

use std::path::{Component, Path, PathBuf};

use crate::core::doctor::{
    checks::{Facts, fix, govars},
    finding::{Finding, Kind, Severity, Tool},
    gomod,
    machine::{Module, What},
    place::Place,
    target::Target,
};

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    if *facts.target != Target::Here {
        return Vec::new();
    }
    let mut found: Vec<Finding> = foreign(facts).into_iter().collect();
    if let Some(module) = &facts.machine.module {
        found.extend(replaced(facts, module));
        found.extend(outside(facts, module));
        found.extend(flag(facts, module));
    }
    found
}

/// E51: a folder that replaces a module, and holds none.
fn replaced(facts: &Facts<'_>, module: &Module) -> Option<Finding> {
    let file = &module.go_mod.path;
    let lost = |(folder, _): &(String, usize)| {
        let stat = facts.machine.paths.get(&below(file, folder).join("go.mod"));
        stat.is_some_and(|stat| stat.what == What::Missing)
    };
    let (folder, line) = gomod::folders(&module.go_mod).into_iter().find(lost)?;
    let place = Place::File(file.clone(), Some(line));
    let shown = below(file, &folder);
    let cause = format!("{place} replaces a module by {}, where no module is.", shown.display());
    let finding = facts
        .finding("E51", Severity::Error, cause)
        .seen(Kind::File, place, format!("=> {folder}"), "a folder with a go.mod")
        .affects(&[Tool::Go])
        .reproduce(format!("ls {}", fix::quoted(&shown.join("go.mod").display().to_string())))
        .explains(&["M17"]);
    Some(finding)
}

/// E52: a go.work is in force that does not use the module of this folder.
fn outside(facts: &Facts<'_>, module: &Module) -> Option<Finding> {
    let work = module.go_work.as_ref().filter(|work| work.lines.is_some())?;
    let own = module.go_mod.path.parent()?;
    if gomod::used(work).iter().any(|folder| below(&work.path, folder) == own) {
        return None;
    }
    let (own, file) = (own.display(), work.path.display());
    let cause = format!(
        "{file} decides which modules are used here, and {own} is none of them: go refuses its packages."
    );
    let finding = facts
        .finding("E52", Severity::Error, cause)
        .seen(
            Kind::File,
            Place::File(work.path.clone(), None),
            format!("no `use` of {own}"),
            "a line `use` for it, or GOWORK=off",
        )
        .affects(&[Tool::Go])
        .reproduce("go env GOWORK")
        .run("go work use .")
        .explains(&["M17"]);
    Some(finding)
}

fn start(facts: &Facts<'_>, code: &'static str, cause: String, seen: (Place, String)) -> Finding {
    let (place, observed) = seen;
    facts
        .finding(code, Severity::Error, cause)
        .seen(Kind::File, place, observed, "")
        .affects(&[Tool::Go])
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

/// Returns the folder that a file names, without `.` and `..`.
fn below(file: &Path, folder: &str) -> PathBuf {
    let mut path = file.parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(folder).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{below, findings};
    use crate::core::doctor::{
        checks::Facts,
        machine::{Machine, Module, Stat, Text},
        target::Target,
    };

    fn codes(go_mod: &str, go_work: Option<&str>) -> Vec<&'static str> {
        let module = Module {
            go_mod: Text::of("/w/app/go.mod", go_mod),
            go_work: go_work.map(|text| Text::of("/w/go.work", text)),
            ..Module::default()
        };
        let mut machine = Machine { module: Some(module), ..Machine::default() };
        machine.paths.insert("/w/lost/go.mod".into(), Stat::default());
        let found = findings(&Facts::of(&Target::Here, &machine));
        found.iter().map(|finding| finding.entry.code).collect()
    }

    #[test]
    fn a_folder_that_replaces_a_module_has_to_be_there() {
        assert_eq!(codes("module m\nreplace a.test/x => ../lost\n", None), ["E51"]);
        assert!(codes("module m\nreplace a.test/x => ./there\n", None).is_empty());
        assert!(codes("module m\nreplace a.test/x => b.test/y v1.0.0\n", None).is_empty());
    }

    #[test]
    fn a_workspace_has_to_use_the_module_of_the_folder() {
        assert_eq!(codes("module m\n", Some("go 1.21\n\nuse ./other\n")), ["E52"]);
        assert!(codes("module m\n", Some("use (\n\t./other\n\t./app\n)\n")).is_empty());
    }

    #[test]
    fn a_path_is_read_from_where_its_file_is() {
        assert_eq!(below(Path::new("/w/app/go.mod"), "../x/./y"), Path::new("/w/x/y"));
        assert_eq!(below(Path::new("/w/go.work"), "."), Path::new("/w"));
        assert_eq!(below(Path::new("/w/go.mod"), "/abs"), Path::new("/abs"));
    }
}
