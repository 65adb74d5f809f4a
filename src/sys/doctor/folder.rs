//! The folder in which it was started, and the module that it belongs to.

use std::path::{Path, PathBuf};

use crate::{
    core::doctor::machine::{Machine, Module},
    sys::doctor::text,
};

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
    Some(Module {
        go_mod: text::read(&root.join("go.mod")),
        go_sum: text::read(&root.join("go.sum")),
        vendor: text::read(&root.join("vendor/modules.txt")),
        go_work: work.as_deref().map(text::read),
    })
}

fn upwards(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|file| file.is_file())
}
