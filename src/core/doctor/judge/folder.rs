//! M17, M30: what go.mod and go.sum of the folder show. go does not mend them by itself.

use crate::core::{
    doctor::{
        catalogue::entry,
        finding::{Finding, Kind, Severity, Tool},
        gomod::{self, GoMod},
        judge::m::name,
        leg::{Leg, Purpose},
        machine::{Machine, Module, Text},
        place::Place,
        target::Target,
    },
    text::printable,
};

/// Returns what go does not mend.
pub(super) fn findings(target: &Target, machine: &Machine, legs: &[Leg<'_>]) -> Vec<Finding> {
    let (Target::Here, Some(module)) = (target, &machine.module) else { return Vec::new() };
    let may_write =
        machine.go_setting("GOFLAGS").is_some_and(|(flags, _)| flags.raw().contains("-mod=mod"));
    let mut missing: Vec<String> = GoMod::parse(&module.go_mod)
        .fetched()
        .filter(|(path, version)| !module.has_sum(path, version, true))
        .map(|(path, version)| format!("{path} {version}"))
        .collect();
    // Of what is not imported there is a line for its go.mod alone.
    let half = module.half_summed().into_iter().filter(|it| module.is_imported(&it.path));
    missing.extend(
        half.filter_map(|it| it.fetched).map(|(path, version)| format!("{path} {version}")),
    );
    // In a workspace go writes go.work.sum by itself.
    let is_read = !may_write && module.vendor.lines.is_none() && module.go_work.is_none();
    if !is_read {
        return Vec::new();
    }
    let mut found: Vec<Finding> = behind(module, legs).into_iter().collect();
    let Some(first) = missing.first() else { return found };
    let cause = format!(
        "go.sum has no line for {}, which go.mod needs; go build and go test add none.",
        printable(first)
    );
    let place = Place::File(module.go_sum.path.clone(), None);
    let finding = Finding::new(entry("M17"), cause)
        .severity(Severity::Error)
        .affects(&[Tool::Go])
        .seen(Kind::File, place, format!("{} missing", missing.len()), "a line for each module")
        .run("go mod tidy")
        .reproduce("go build ./...");
    found.push(finding);
    found
}

/// M30: a module that is required is of a newer Go than go.mod, which has counted since 1.21 (cmd/go
/// `modload.rawGoModSummary`).
fn behind(module: &Module, legs: &[Leg<'_>]) -> Option<Finding> {
    const COUNTS: (u32, u32, i64) = (1, 21, 0);
    let own = GoMod::parse(&module.go_mod).go;
    let least = own.as_ref().and_then(|(go, _)| gomod::version(go)).unwrap_or((1, 16, 0));
    let (required, go) = legs.iter().filter(|leg| leg.purpose == Purpose::Mod).find_map(|leg| {
        let http = leg.answer().filter(|http| http.status == Some(200) && http.flaw.is_none())?;
        let text = Text::of("go.mod", &String::from_utf8_lossy(&http.body));
        let (go, _) = GoMod::parse(&text).go?;
        let is_newer = gomod::version(&go).is_some_and(|go| go >= COUNTS && go > least);
        is_newer.then(|| (name(leg.module.as_ref()), printable(&go)))
    })?;
    let cause = format!(
        "{required} is of Go {go}, and go.mod here of an older one: go build wants to raise its go line, and does not."
    );
    let (observed, line) = own.map_or_else(
        || ("no go line".to_owned(), None),
        |(go, line)| (format!("go {}", printable(&go)), Some(line)),
    );
    let place = Place::File(module.go_mod.path.clone(), line);
    let finding = Finding::new(entry("M30"), cause)
        .severity(Severity::Error)
        .affects(&[Tool::Go])
        .seen(Kind::File, place, observed, format!("go {go}"))
        .run("go mod tidy")
        .reproduce("go build ./...");
    Some(finding.explains(&["M17"]))
}
