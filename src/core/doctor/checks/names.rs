//! The words of the target: what is no module path, and no version. D13, M19, M20.

use crate::core::{
    doctor::{
        checks::Facts,
        finding::{Finding, Kind, Severity, Tool},
        place::Place,
        plan::redirect,
        shell::quoted,
        target::Target,
    },
    text::printable,
};

/// What asking for it all the same ends in.
const NOTHING_THERE: &[&str] = &[
    "D01", "D03", "D13", "E08", "E09", "G17", "G24", "H21", "M01", "M02", "M03", "M04", "M10",
    "M15", "M17", "M19", "M20",
];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let (path, version) = match facts.target {
        Target::Module { path, version } => (path, version),
        Target::Url(url) => return host_of(facts, url).into_iter().collect(),
        Target::Here => return of_go_mod(facts).into_iter().collect(),
    };
    let path = path_of(facts, path);
    let version = version.as_deref().and_then(|version| version_of(facts, version));
    path.into_iter().chain(version).collect()
}

/// The first path of go.mod that go refuses; what a folder replaces is never looked for.
fn of_go_mod(facts: &Facts<'_>) -> Option<Finding> {
    let (module, mut finding) =
        facts.modules.iter().find_map(|module| Some((module, path_of(facts, &module.path)?)))?;
    let file = facts.machine.module.as_ref().map(|module| module.go_mod.path.clone())?;
    let host = module.host().to_owned();
    finding = finding.seen(Kind::File, Place::File(file, None), module.path.clone(), host);
    Some(finding)
}

/// D13 and M20: the first element of a path is a host's name (x/mod `module.CheckPath`).
fn path_of(facts: &Facts<'_>, path: &str) -> Option<Finding> {
    let host = path.split('/').next().unwrap_or_default();
    let start = |code, cause: String, expected: &str| {
        facts
            .finding(code, Severity::Error, cause)
            .seen(Kind::Variable, Place::Endpoint(path.to_owned()), host, expected)
            .affects(&[Tool::Go])
            .explains(NOTHING_THERE)
            .reproduce(format!("go list -m {}", quoted(path)))
            .run(format!("gocred doctor {}", quoted(&path.to_ascii_lowercase().replace('_', "-"))))
    };
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if let Some(odd) = host.chars().find(|c| !is_plain(*c)) {
        let odd = odd.escape_debug();
        let cause = format!(
            "`{host}` is no host that a module path may begin with: go refuses `{odd}` there."
        );
        return Some(start("D13", cause, "small letters, digits, `-` and `.`"));
    }
    let is_name = host
        .split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    if !host.contains('.') {
        let cause = format!(
            "`{host}` has no dot, so that go takes it for a package of its own and fetches nothing."
        );
        return Some(
            start("M20", cause, "a host with a dot")
                .run(format!("go mod edit {}", quoted(&format!("-replace={path}=../{path}")))),
        );
    }
    (!is_name).then(|| {
        start("D13", format!("`{host}` is no name of a host."), "labels between single dots")
    })
}

/// D13: the host of a URL that nobody can ask.
fn host_of(facts: &Facts<'_>, url: &str) -> Option<Finding> {
    if redirect::url(url).is_some() {
        return None;
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = printable(rest.split(['/', '?', '#']).next().unwrap_or_default());
    let finding = facts
        .finding("D13", Severity::Error, format!("`{host}` is no name of a host."))
        .seen(Kind::Variable, Place::Endpoint(url.to_owned()), host, "a host's name")
        .reproduce(format!("curl -sSv -o /dev/null {}", quoted(url)));
    Some(finding)
}

/// M19: what go accepts as a version or the name of a branch (x/mod `module.EscapeVersion`).
fn version_of(facts: &Facts<'_>, version: &str) -> Option<Finding> {
    let is_odd =
        |c: char| !c.is_ascii_graphic() && c.is_ascii() || "!\"#$&'*:;<>?[]`{|}\\".contains(c);
    let is_bad = version.is_empty()
        || version.contains(is_odd)
        || version.starts_with('.')
        || version.ends_with('.');
    // `>=v1.0.0` is a query.
    if !is_bad || version.starts_with(['<', '>']) {
        return None;
    }
    let cause =
        format!("`{}` is no version, and no name that go would look up.", version.escape_debug());
    let finding = facts
        .finding("M19", Severity::Error, cause)
        .seen(
            Kind::Variable,
            Place::Endpoint(version.to_owned()),
            version.escape_debug().to_string(),
            "v1.2.3, a branch or a commit",
        )
        .affects(&[Tool::Go])
        .explains(NOTHING_THERE)
        .run("go list -m -versions MODULE");
    Some(finding)
}
