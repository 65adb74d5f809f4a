//! go.mod and go.work of the folder: what go cannot read, and what they name and is not there. E51, E52, M19.

use std::path::{Component, Path, PathBuf};

use crate::core::{
    doctor::{
        checks::{Facts, fix},
        finding::{Finding, Kind, Severity, Tool},
        gomod,
        machine::{Module, What},
        place::Place,
        target::Target,
    },
    text,
};

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(module) = facts.machine.module.as_ref().filter(|_| *facts.target == Target::Here)
    else {
        return Vec::new();
    };
    let broken = broken(facts, module);
    broken.into_iter().chain(replaced(facts, module)).chain(outside(facts, module)).collect()
}

/// M19 and E51: a line of go.mod for which go reads none of it (x/mod `modfile.parseToFile`).
fn broken(facts: &Facts<'_>, module: &Module) -> Option<Finding> {
    let file = &module.go_mod.path;
    let (code, line, words) =
        gomod::statements(&module.go_mod).into_iter().find_map(|(line, words)| {
            let rest = words.get(1..).unwrap_or_default();
            match (words.first()?.as_str(), rest) {
                ("require" | "exclude", [_, _]) => None,
                ("require" | "exclude", _) => Some(("M19", line, words)),
                ("replace", [.., arrow, new]) if arrow == "=>" => {
                    (!gomod::is_folder(new)).then_some(("E51", line, words))
                }
                ("replace", [.., arrow, _, _]) if arrow == "=>" => None,
                ("replace", _) => Some(("E51", line, words)),
                _ => None,
            }
        })?;
    let place = Place::File(file.clone(), Some(line));
    let expected = match code {
        "M19" => "a module path and a version",
        _ => "a folder that begins with ./ or ../, or a module path and a version",
    };
    let cause = format!(
        "{place} is no line of a go.mod, so go reads none of it: go wants {expected} there."
    );
    let finding = facts
        .finding(code, Severity::Error, cause)
        .seen(Kind::File, place, text::printable(&words.join(" ")), expected)
        .affects(&[Tool::Go])
        .reproduce("go list -m")
        .run(format!("\"${{EDITOR:-vi}}\" +{line} go.mod"))
        .explains(&["M17", "M01", "E51"]);
    Some(finding)
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
