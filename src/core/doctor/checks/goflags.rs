//! The flags that GOFLAGS may hold: what any command of go knows (cmd/go/internal/base `InitGOFLAGS`); of the others go
//! refuses to do anything. E26. Newer versions know more of them, so that a name is wrong only where one of these is near:
//! that one is put in its place. What is meant for none is taken out.

use crate::core::doctor::{
    checks::{Facts, fix, spelling::nearest},
    finding::{Finding, Kind, Tool},
    place::Place,
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

/// Those of `go help build` that take a value, and never stand alone.
const VALUED: &[&str] = &[
    "asmflags",
    "buildmode",
    "compiler",
    "exec",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "mod",
    "modfile",
    "overlay",
    "p",
    "pgo",
    "pkgdir",
    "tags",
    "timeout",
    "toolexec",
];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    flags(facts).into_iter().collect()
}

/// E26: what GOFLAGS holds is not taken.
fn flags(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GOFLAGS")?;
    let (bad, new) = mended(value.raw())?;
    let why = match &bad.fault {
        Fault::Gone => "go no longer has that flag; GOINSECURE names hosts instead".to_owned(),
        Fault::Slip(meant) => format!("no command of go has that flag; -{meant} is meant"),
        Fault::Value(flag) => format!("it is no flag; -{flag}=… is meant"),
        Fault::NoFlag => "it is no flag".to_owned(),
    };
    let cause = format!("GOFLAGS ({place}) holds `{}`: {why}.", Private::new(bad.word).flags());
    let shown = Private::new(new.as_str()).flags();
    let finding = facts
        .finding("E26", facts.for_go(), cause)
        .seen(
            Kind::Variable,
            place.clone(),
            format!("GOFLAGS={}", value.flags()),
            if new.is_empty() { "nothing" } else { &shown },
        )
        .affects(&[Tool::Go])
        // go does nothing at all before it is mended.
        .explains(&["M17"])
        .reproduce("go env GOFLAGS");
    let finding = fix::go(facts, finding, "GOFLAGS", (!new.is_empty()).then_some(&new));
    if shown == new {
        return Some(finding);
    }
    // A value that may be secret stands in no command.
    let Place::File(file, Some(line)) = place else { return Some(finding.run(String::new())) };
    let file = fix::quoted(&file.display().to_string());
    Some(finding.run(format!("\"${{EDITOR:-vi}}\" +{line} {file}")))
}

/// A word that go does not take.
struct Bad<'a> {
    word: &'a str,
    fault: Fault<'a>,
}

enum Fault<'a> {
    /// `-insecure`
    Gone,
    /// A name that none has, and the one that is meant.
    Slip(&'static str),
    /// The value of the flag before it: GOFLAGS wants `=` between them.
    Value(&'a str),
    /// Anything else without a name.
    NoFlag,
}

/// Returns the first word that go does not take, and the list without any. `None`: it takes all of them, or cannot
/// even take the list apart.
fn mended(value: &str) -> Option<(Bad<'_>, String)> {
    let (mut first, mut kept) = (None, Vec::<String>::new());
    // The flag before, where its value may follow.
    let mut open: Option<&str> = None;
    for word in words(value)? {
        let name = name(word);
        let was_open = open.take();
        let (fault, new) = if name == "insecure" {
            (Some(Fault::Gone), None)
        } else if !word.starts_with('-') || name.is_empty() {
            match (was_open, word.starts_with('-')) {
                (Some(flag), false) => {
                    kept.pop();
                    (Some(Fault::Value(flag)), Some(format!("-{flag}={word}")))
                }
                _ => (Some(Fault::NoFlag), None),
            }
        } else if let Some(meant) = meant(name) {
            (Some(Fault::Slip(meant)), Some(word.replacen(name, meant, 1)))
        } else if word.starts_with("---") {
            (Some(Fault::NoFlag), Some(format!("-{}", word.trim_start_matches('-'))))
        } else {
            (None, Some(word.to_owned()))
        };
        let real = meant(name).unwrap_or(name);
        open = (VALUED.contains(&real) && word.starts_with('-') && !word.contains('='))
            .then_some(real);
        kept.extend(new.as_deref().map(quoted));
        if first.is_none() {
            first = fault.map(|fault| Bad { word, fault });
        }
    }
    Some((first?, kept.join(" ")))
}

/// Returns the name of a flag.
fn name(word: &str) -> &str {
    word.trim_start_matches('-').split('=').next().unwrap_or_default()
}

/// Takes the list apart (cmd/internal/quoted `Split`): a quotation mark counts at the start of a word.
fn words(value: &str) -> Option<Vec<&str>> {
    let (mut words, mut rest) = (Vec::new(), value.trim_start());
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|first| ['"', '\''].contains(first));
        let (word, behind) = match quote {
            Some(quote) => rest.get(1..)?.split_once(quote)?,
            None => rest.split_once([' ', '\t', '\n', '\r']).unwrap_or((rest, "")),
        };
        words.push(word);
        rest = behind.trim_start();
    }
    Some(words)
}

/// Writes a word so that [`words`] reads it.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && !word.contains([' ', '\t', '\n', '\r']);
    match (is_plain && !word.starts_with(['"', '\'']), word.contains('\'')) {
        (true, _) => word.to_owned(),
        (false, false) => format!("'{word}'"),
        (false, true) => format!("\"{word}\""),
    }
}

/// Returns the flag that is meant by a name that none has.
fn meant(name: &str) -> Option<&'static str> {
    let may_be_wrong = name.len() > 3 && !KNOWN.contains(&name) && !name.contains('.');
    may_be_wrong.then(|| nearest(name, KNOWN.iter().copied(), 1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::{meant, mended, words};

    #[test]
    fn a_slip_is_told_from_a_flag_that_is_new() {
        assert_eq!(meant("trimpth"), Some("trimpath"));
        assert_eq!(meant("tagss"), Some("tags"));
        for fine in ["trimpath", "mod", "p", "tests", "somethingnew", "test.v"] {
            assert_eq!(meant(fine), None, "{fine}");
        }
    }

    /// As go 1.24 and 1.27 refuse the left ones, and take the right ones.
    #[test]
    fn a_flag_is_corrected_with_its_value_and_only_what_is_near_to_none_goes() {
        for (value, new) in [
            ("-tagss=integration", Some("-tags=integration")),
            ("-mod=mod --trimpth -insecure", Some("-mod=mod --trimpath")),
            ("-insecure", Some("")),
            ("-tags a -trimpath", Some("-tags=a -trimpath")),
            ("-tagss 'a b'", Some("'-tags=a b'")),
            ("-trimpath x", Some("-trimpath")),
            ("---trimpath - -=x", Some("-trimpath")),
            ("'-ldflagss=-s -w' -tagss=it's", Some("'-ldflags=-s -w' -tags=it's")),
            ("'-ldflags=-s  -insecure'  -tagss=x", Some("'-ldflags=-s  -insecure' -tags=x")),
            ("-tagss=x -tagss=x", Some("-tags=x -tags=x")),
            ("-mod=mod '-ldflags=-s -w' -tags", None),
            ("-somethingnew=1", None),
            ("'-tags=x", None),
            ("", None),
        ] {
            let is = mended(value).map(|(_, new)| new);
            assert_eq!(is.as_deref(), new, "{value}");
            if let Some(is) = &is {
                assert!(words(is).is_some() && mended(is).is_none(), "{is}");
            }
        }
    }
}
