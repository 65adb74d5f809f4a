//! E23, E50: go.mod or go.work wants a Go that is not installed, and that cannot be had.

use crate::core::doctor::{
    checks::{Facts, fix},
    finding::{Finding, Kind, Severity, Tool},
    gomod::{self, GoMod},
    gosettings,
    machine::What,
    place::Place,
    target::Target,
};

/// Returns the Go that would have to be downloaded, such as `1.99.0`, and the line of go.mod that wants it.
fn wanted(facts: &Facts<'_>) -> Option<(String, Place)> {
    asked(facts).filter(|(version, _)| !is_there(facts, version))
}

/// Returns whether a Go was downloaded before: it is a module in the cache.
fn is_there(facts: &Facts<'_>, version: &str) -> bool {
    let folder = gosettings::toolchain(facts.machine, version);
    folder.is_some_and(|folder| facts.machine.stat(&folder).what == What::Folder)
}

/// Returns the Go that the settings and go.mod name, where it is not the one that is installed.
fn asked(facts: &Facts<'_>) -> Option<(String, Place)> {
    if let Some(pinned) = pinned(facts) {
        return Some(pinned);
    }
    if *facts.target != Target::Here {
        return None;
    }
    let module = facts.machine.module.as_ref()?;
    let installed = gomod::version(&facts.machine.go.as_ref()?.version)?;
    // Before Go 1.21 nothing was downloaded, and the line was no more than a hint.
    if installed < (1, 21, -1) {
        return None;
    }
    // In a workspace the lines of go.work are what counts (go.dev/doc/toolchain).
    let text = module.go_work.as_ref().filter(|work| work.lines.is_some());
    let text = text.unwrap_or(&module.go_mod);
    let file = GoMod::parse(text);
    let is_newer = |(version, _): &(String, usize)| {
        gomod::version(version).is_some_and(|version| version > installed)
    };
    let lines = [file.toolchain, file.go].into_iter().flatten();
    let (version, line) =
        lines.filter(is_newer).max_by_key(|(version, _)| gomod::version(version))?;
    Some((version, Place::File(text.path.clone(), Some(line))))
}

/// Returns the Go that GOTOOLCHAIN names by its version, where another one is installed (`go help toolchain`).
fn pinned(facts: &Facts<'_>) -> Option<(String, Place)> {
    let (value, place) = facts.go("GOTOOLCHAIN").filter(|_| facts.is_for_go())?;
    let name = value.raw().split('+').next()?.strip_prefix("go")?.to_owned();
    let installed = gomod::version(&facts.machine.go.as_ref()?.version)?;
    let is_other = gomod::version(&name).is_some_and(|version| version != installed);
    (is_other && installed >= (1, 21, -1)).then_some((name, place))
}

/// Returns whether GOTOOLCHAIN forbids to download one.
fn is_local(facts: &Facts<'_>) -> bool {
    let setting = facts.go("GOTOOLCHAIN");
    let mode = setting.as_ref().map_or("auto", |(value, _)| value.raw());
    mode.starts_with("local") || mode.ends_with("path")
}

/// Returns the Go that go would download, and the line that wants it.
pub(super) fn download(facts: &Facts<'_>) -> Option<(String, Place)> {
    let (version, place) = wanted(facts).filter(|_| !is_local(facts))?;
    // `go 1.24` means the first release of it.
    let is_whole = version.matches('.').count() > 1 || version.contains(char::is_alphabetic);
    Some((if is_whole { version } else { format!("{version}.0") }, place))
}

/// Returns what is wrong.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let Some((version, place)) = wanted(facts) else { return Vec::new() };
    let setting = facts.go("GOTOOLCHAIN");
    let mode = setting.as_ref().map_or("auto", |(value, _)| value.raw());
    let is_local = is_local(facts);
    let has_source = facts.elements().iter().any(|element| !element.is_empty());
    let installed = facts.machine.go.as_ref().map_or("", |go| go.version.as_str());
    let is_required = facts
        .machine
        .module
        .as_ref()
        .and_then(|module| GoMod::parse(&module.go_mod).go)
        .is_some_and(|(go, _)| gomod::version(&go) > gomod::version(installed))
        || pinned(facts).is_some();
    let (severity, why) = match (is_local, has_source) {
        (true, _) if !is_required => return Vec::new(),
        (true, _) => (Severity::Error, format!("GOTOOLCHAIN={mode} forbids to download it")),
        (false, false) => {
            (Severity::Error, "GOPROXY names no proxy that it could come from".to_owned())
        }
        (false, true) => (Severity::Warning, "it has to come from the module proxy".to_owned()),
    };
    let cause = format!("{place} wants Go {version}, {installed} is installed, and {why}.");
    let code = if is_local { "E50" } else { "E23" };
    let finding = facts
        .finding(code, severity, cause)
        .seen(Kind::File, place, format!("go {version}"), installed)
        .affects(&[Tool::Go])
        .reproduce("go version")
        .run(format!("go get toolchain@{}", installed.trim_start_matches("go")))
        .explains(&["M01", "M02", "M03"]);
    let is_in_file = matches!(setting, Some((_, Place::File(..))));
    if is_local && is_in_file && has_source {
        return vec![fix::go(facts, finding, "GOTOOLCHAIN", None)];
    }
    vec![finding]
}
