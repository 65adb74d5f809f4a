//! The folder in which it was started, and the module that it belongs to.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    core::doctor::{
        gomod,
        machine::{Machine, Module, Text},
    },
    sys::doctor::{imports, look, text},
};

/// So many folders of a go.work are read.
const MOST_USED: usize = 32;

/// Returns the current folder; the root where there is none any more.
pub(super) fn current() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

/// Finds the module as cmd/go does: the nearest go.mod upwards, and go.work likewise or by GOWORK.
pub(super) fn module(machine: &Machine) -> Option<Module> {
    let root = upwards(&machine.folder, "go.mod")?;
    let root = root.parent()?;
    let work = match machine.go_setting("GOWORK") {
        Some((value, _)) if value.raw() == "off" => None,
        Some((value, _)) if !value.raw().is_empty() => Some(PathBuf::from(value.raw())),
        _ => upwards(&machine.folder, "go.work"),
    };
    let work = work.as_deref().map(text::read);
    let used = work.as_ref().map(|work| used(work, root)).unwrap_or_default();
    let go_mod = in_place(machine).unwrap_or_else(|| root.join("go.mod"));
    let mut module = Module {
        go_sum: text::read(&go_mod.with_extension("sum")),
        go_mod: text::read(&go_mod),
        vendor: text::read(&root.join("vendor/modules.txt")),
        go_work: work,
        used,
        imports: BTreeSet::new(),
    };
    if !module.half_summed().is_empty() {
        module.imports = imports::read(root);
    }
    Some(module)
}

/// Returns the file that go reads in place of go.mod (`go help build`, `-modfile`); its go.sum lies beside it.
fn in_place(machine: &Machine) -> Option<PathBuf> {
    let (flags, _) = machine.go_setting("GOFLAGS")?;
    let named = flags.raw().split_whitespace().rev().find_map(|word| {
        word.trim_start_matches('-').strip_prefix("modfile=").map(str::to_owned)
    })?;
    let file = machine.folder.join(named);
    (file.extension().is_some_and(|end| end == "mod") && file.is_file()).then_some(file)
}

/// Returns the go.mod of the folders that a go.work uses, but of this one.
fn used(work: &Text, root: &Path) -> Vec<Text> {
    let Some(folder) = work.path.parent() else { return Vec::new() };
    let folders = gomod::used(work).into_iter().take(MOST_USED);
    let folders = folders.map(|name| look::plain(&folder.join(name)));
    folders
        .filter(|folder| folder != root)
        .map(|folder| text::read(&folder.join("go.mod")))
        .collect()
}

fn upwards(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|file| file.is_file())
}
