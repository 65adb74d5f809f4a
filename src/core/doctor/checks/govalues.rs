//! go's settings that take a few words only, and hold another one: go then does nothing at all. E63.
//!
//! Line ends of Windows behind a good word are `crlf`'s.

use crate::core::doctor::{
    checks::{Facts, fix},
    finding::{Finding, Kind},
    gomod,
};

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let of = |name: &'static str, is_taken: fn(&str) -> bool, expected: &str| {
        let (value, place) = facts.go(name)?;
        if is_taken(value.raw().trim_end_matches('\r')) {
            return None;
        }
        let cause = format!(
            "{name}={value} ({place}): go takes {expected} there, and refuses everything else."
        );
        let finding = facts
            .finding("E63", facts.for_go(), cause)
            .seen(Kind::Variable, place, format!("{name}={value}"), expected)
            .affects(&[crate::core::doctor::finding::Tool::Go])
            .reproduce("go list -m")
            .explains(&["E50", "E23", "M17"]);
        Some(fix::go(facts, finding, name, None))
    };
    let modules =
        of("GO111MODULE", |value| matches!(value, "on" | "off" | "auto"), "on, off or auto");
    let toolchain =
        of("GOTOOLCHAIN", is_toolchain, "local, auto, path, or a version such as go1.27.3+auto");
    modules.into_iter().chain(toolchain).collect()
}

/// Whether go knows what is meant (cmd/go/internal/toolchain `Select`).
fn is_toolchain(value: &str) -> bool {
    if matches!(value, "auto" | "path") {
        return true;
    }
    let (least, way) =
        value.split_once('+').map_or((value, None), |(least, way)| (least, Some(way)));
    let is_way = matches!(way, None | Some("auto" | "path"));
    is_way && (least == "local" || is_version(least))
}

/// Whether a name is that of a toolchain (cmd/go/internal/gover `FromToolchain`): `go1.27.3`, `go1.27-corp`,
/// `corp-go1.27`.
fn is_version(name: &str) -> bool {
    let version = name
        .strip_prefix("go")
        .or_else(|| name.split_once("-go").map(|(_, version)| version))
        .filter(|_| !name.contains(['/', '\\']));
    version.is_some_and(|version| {
        version.starts_with(|c: char| c.is_ascii_digit()) && gomod::version(version).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::is_toolchain;

    /// As go 1.24 and 1.27 take the first ones, and refuse the others.
    #[test]
    fn a_toolchain_is_read_as_go_reads_it() {
        for value in [
            "local",
            "auto",
            "path",
            "local+auto",
            "go1.27.3",
            "go1.21+path",
            "go1.28rc1",
            "corp-go1.27",
            "go1.27-corp",
        ] {
            assert!(is_toolchain(value), "{value}");
        }
        for value in ["latest", "1.27.3", "go", "gox", "local+none", "go1.27+", "stable+auto"] {
            assert!(!is_toolchain(value), "{value}");
        }
    }
}
