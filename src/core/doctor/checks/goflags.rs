//! The flags that GOFLAGS may hold: what any command of go knows (cmd/go/internal/base `InitGOFLAGS`); of the others go
//! refuses to do anything. E26. Newer versions know more of them, so that a name is wrong only where one of these is near.

use crate::core::doctor::{
    checks::{Facts, fix, spelling::nearest},
    finding::{Finding, Kind, Tool},
    private::Private,
};

/// What `go help build`, `testflag`, `list`, `get`, `mod` and `vet` name, without the shortest.
const KNOWN: &[&str] = &[
    "asan",
    "asmflags",
    "bench",
    "benchmem",
    "benchtime",
    "blockprofile",
    "blockprofilerate",
    "bools",
    "buildmode",
    "buildtag",
    "buildvcs",
    "compat",
    "compiled",
    "compiler",
    "count",
    "cover",
    "covermode",
    "coverpkg",
    "coverprofile",
    "cpuprofile",
    "defers",
    "deps",
    "diff",
    "directive",
    "exec",
    "export",
    "failfast",
    "find",
    "force",
    "fullpath",
    "fuzz",
    "fuzzminimizetime",
    "fuzztime",
    "gccgoflags",
    "gcflags",
    "hostport",
    "inline",
    "insecure",
    "installsuffix",
    "json",
    "ldflags",
    "linkshared",
    "list",
    "memprofile",
    "memprofilerate",
    "modcacherw",
    "modfile",
    "msan",
    "mutexprofile",
    "mutexprofilefraction",
    "nilfunc",
    "outputdir",
    "overlay",
    "parallel",
    "pkgdir",
    "print",
    "printf",
    "race",
    "retracted",
    "reuse",
    "shift",
    "short",
    "shuffle",
    "skip",
    "slog",
    "tags",
    "test",
    "tests",
    "timeout",
    "toolexec",
    "trace",
    "trimpath",
    "versions",
    "vettool",
    "work",
];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    flags(facts).into_iter().collect()
}

/// E26: what GOFLAGS holds is not taken.
fn flags(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GOFLAGS")?;
    let mut words = value.raw().split_whitespace();
    let bad = words.find(|word| {
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        !word.starts_with('-') && !value.raw().contains(['"', '\''])
            || name == "insecure"
            || name.is_empty()
            || meant(name).is_some()
    })?;
    let name = bad.trim_start_matches('-').split('=').next().unwrap_or_default();
    let why = if bad.contains("insecure") {
        "go no longer has that flag; GOINSECURE names hosts instead".to_owned()
    } else if let Some(meant) = meant(name) {
        format!("no command of go has that flag; -{meant} is meant")
    } else {
        "it is no flag".to_owned()
    };
    let cause = format!("GOFLAGS ({place}) holds `{}`: {why}.", Private::new(bad).flags());
    let kept: Vec<&str> = value.raw().split_whitespace().filter(|word| *word != bad).collect();
    let kept = kept.join(" ");
    let finding = facts
        .finding("E26", facts.for_go(), cause)
        .seen(
            Kind::Variable,
            place,
            format!("GOFLAGS={}", value.flags()),
            Private::new(kept.as_str()).flags(),
        )
        .affects(&[Tool::Go])
        // go does nothing at all before it is mended.
        .explains(&["M17"])
        .reproduce("go env GOFLAGS");
    let new = (!kept.is_empty()).then_some(kept.as_str());
    Some(fix::go(facts, finding, "GOFLAGS", new))
}

/// Returns the flag that is meant by a name that none has.
fn meant(name: &str) -> Option<&'static str> {
    let may_be_wrong = name.len() > 3 && !KNOWN.contains(&name) && !name.contains('.');
    may_be_wrong.then(|| nearest(name, KNOWN.iter().copied(), 1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_slip_is_told_from_a_flag_that_is_new() {
        assert_eq!(meant("trimpth"), Some("trimpath"));
        assert_eq!(meant("tagss"), Some("tags"));
        for fine in ["trimpath", "mod", "p", "tests", "somethingnew", "test.v"] {
            assert_eq!(meant(fine), None, "{fine}");
        }
    }
}
