//! go's other settings: what masks them, what forbids, what no longer exists. E19–E22, E24–E27, E47.

use crate::core::{
    doctor::{
        checks::{DIRECT, Facts, NOT_THERE, PROXIED, fix, spelling},
        finding::{Change, Finding, Kind, Severity, Tool},
        gomod::{self, GoMod},
        gosettings,
        machine::Module,
        place::Place,
    },
    pattern,
};

/// The settings that decide about a fetch.
const DECIDING: &[&str] =
    &["GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOAUTH", "GOFLAGS", "GOVCS"];
/// Variables of other programs whose names begin like go's.
const FOREIGN: &[&str] =
    &["GOLANG", "GOOGLE", "GOSU", "GOPASS", "GOCRED", "GOSS", "GOTTY", "GOROOT_"];
/// Names that never were go's, and what is meant by them.
const MEANT: &[(&str, &str)] = &[
    ("GONOSUMCHECK", "GONOSUMDB"),
    ("GOSUMCHECK", "GOSUMDB"),
    ("GONOSUM", "GONOSUMDB"),
    ("GONOVERIFY", "GONOSUMDB"),
    ("GOPROXIES", "GOPROXY"),
    ("GONETRC", "NETRC"),
    ("GOMODULES", "GO111MODULE"),
];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = masked(facts);
    found.extend(modules_off(facts));
    found.extend(vendor(facts));
    found.extend(no_cache(facts));
    found.extend(no_build_cache(facts));
    found.extend(vcs(facts));
    found.extend(insecure(facts));
    found.extend(unknown(facts));
    found.extend(elsewhere(facts));
    found
}

/// E19: a variable stands before the line of go's file.
fn masked(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(file) = &facts.machine.goenv else { return Vec::new() };
    let mut found = Vec::new();
    for name in DECIDING {
        let Some(value) = facts.machine.variable(name) else { continue };
        let Some((line, own)) = file.setting(name).filter(|(_, own)| own != value) else {
            continue;
        };
        let severity = if facts.is_for_go() { Severity::Warning } else { Severity::Info };
        let exported = facts.machine.exported(name).map(|(place, _)| place);
        let by = exported.as_ref().map_or(String::new(), |place| format!(" (set in {place})"));
        let cause = format!(
            "The variable {name}{by} stands before what `go env -w` wrote at {}:{line}.",
            file.path.display()
        );
        let explained: Vec<&'static str> = match *name {
            "GOPROXY" => [NOT_THERE, DIRECT, PROXIED, &["M05", "M06"]].concat(),
            "GOPRIVATE" | "GONOPROXY" => NOT_THERE.to_vec(),
            "GOSUMDB" | "GONOSUMDB" => vec!["S01", "S02", "S03", "S04", "S05", "S10", "S11"],
            "GOAUTH" => vec!["A14", "A15", "A03", "M04"],
            _ => Vec::new(),
        };
        let place = exported.unwrap_or_else(|| Place::Variable((*name).to_owned()));
        let finding = facts
            .finding("E19", severity, cause)
            .seen(
                Kind::Variable,
                place,
                format!("{name}={}", value.of_go(name)),
                format!("{name}={}", own.of_go(name)),
            )
            .seen(Kind::File, Place::File(file.path.clone(), Some(line)), own.of_go(name), "")
            .affects(&[Tool::Go])
            .reproduce("go env -changed")
            .explains(&explained);
        found.push(fix::variable(facts, finding, name, None));
    }
    found
}

/// E20: no modules at all.
fn modules_off(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GO111MODULE").filter(|(value, _)| value.raw() == "off")?;
    let cause = format!("GO111MODULE=off ({place}): go knows no modules, and fetches none.");
    let finding = facts
        .finding("E20", facts.for_go(), cause)
        .seen(Kind::Variable, place, value.to_string(), "not set")
        .affects(&[Tool::Go])
        .reproduce("go env GO111MODULE");
    Some(fix::go(facts, finding, "GO111MODULE", None))
}

/// Returns the value of a flag in GOFLAGS.
pub(super) fn flag(facts: &Facts<'_>, name: &str) -> Option<String> {
    let (flags, _) = facts.go("GOFLAGS")?;
    let value = |word: &str| {
        word.trim_start_matches('-').strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
    };
    flags.raw().split_whitespace().rev().find_map(value)
}

/// Returns whether go takes its modules from `vendor` (cmd/go `modload.setDefaultBuildMod`): GOFLAGS says so,
/// or the folder is there and go.mod is of Go 1.14 or later.
fn takes_vendor(facts: &Facts<'_>, module: &Module) -> bool {
    match flag(facts, "mod").as_deref() {
        Some("vendor") => true,
        Some(_) => false,
        None => {
            let go = GoMod::parse(&module.go_mod).go;
            let version = go.and_then(|(version, _)| gomod::version(&version));
            module.vendor.lines.is_some()
                && module.go_work.is_none()
                && version.is_some_and(|version| version >= (1, 14, 0))
        }
    }
}

/// Returns what go.mod needs and `vendor/modules.txt` does not mark as explicit.
fn missing(module: &Module) -> Option<(String, usize)> {
    let vendored = gomod::vendored(&module.vendor);
    let needed = GoMod::parse(&module.go_mod).requires;
    let missing = needed.into_iter().find(|needed| {
        !vendored.iter().any(|(path, version)| *path == needed.path && *version == needed.version)
    });
    missing.map(|needed| (format!("{}@{}", needed.path, needed.version), needed.line))
}

/// Returns whether everything that is wanted is in `vendor`.
pub(super) fn is_vendored(facts: &Facts<'_>) -> bool {
    let is_here = *facts.target == crate::core::doctor::target::Target::Here;
    let module = facts.machine.module.as_ref().filter(|_| is_here);
    module.is_some_and(|module| {
        module.vendor.lines.is_some() && takes_vendor(facts, module) && missing(module).is_none()
    })
}

/// E21: `vendor` is not what go.mod needs.
fn vendor(facts: &Facts<'_>) -> Option<Finding> {
    let module = facts.machine.module.as_ref()?;
    if !takes_vendor(facts, module) {
        return None;
    }
    let (lost, line) = missing(module)?;
    let is_here = *facts.target == crate::core::doctor::target::Target::Here;
    let severity = if is_here { Severity::Error } else { Severity::Warning };
    let what = if module.vendor.lines.is_some() { "lacks" } else { "is not there, and so lacks" };
    let cause = format!("go takes modules from vendor, and vendor/modules.txt {what} {lost}.");
    let finding = facts
        .finding("E21", severity, cause)
        .seen(
            Kind::File,
            Place::File(module.go_mod.path.clone(), Some(line)),
            format!("require {lost}"),
            "the same in vendor/modules.txt",
        )
        .affects(&[Tool::Go])
        .run("go mod vendor")
        .explains(&["M17"])
        .reproduce("go list -m all");
    let has_other_flags =
        facts.go("GOFLAGS").is_some_and(|(flags, _)| flags.raw().split_whitespace().count() > 1);
    let is_in_file = facts.go("GOFLAGS").is_some_and(|(_, place)| matches!(place, Place::File(..)));
    let is_asked = flag(facts, "mod").as_deref() == Some("vendor");
    if !is_asked || has_other_flags || !is_in_file || module.vendor.lines.is_some() {
        return Some(finding);
    }
    // Without the folder, the flag cannot be meant.
    Some(finding.change(Change::GoEnv { name: "GOFLAGS".to_owned(), value: None }))
}

/// E22: go has no place for modules.
fn no_cache(facts: &Facts<'_>) -> Option<Finding> {
    let cache = gosettings::modcache(facts.machine);
    let (cause, observed, place) = match &cache {
        None => (
            "None of HOME, GOPATH and GOMODCACHE is set: go has no place for modules.".to_owned(),
            "not set".to_owned(),
            Place::Variable("HOME".to_owned()),
        ),
        Some(cache) if !cache.is_absolute() => {
            let name = if facts.go("GOMODCACHE").is_some() { "GOMODCACHE" } else { "GOPATH" };
            let (value, place) = facts.go(name)?;
            (
                format!("{name} ({place}) is a relative path, which go refuses."),
                value.to_string(),
                place,
            )
        }
        Some(_) => return None,
    };
    let finding = facts
        .finding("E22", facts.for_go(), cause)
        .seen(Kind::Variable, place.clone(), observed, "an absolute path")
        .affects(&[Tool::Go])
        .reproduce("go env GOMODCACHE")
        .run("export GOMODCACHE=/var/cache/go/mod");
    match (place, cache) {
        (Place::File(..), Some(_)) => {
            let name = if facts.go("GOMODCACHE").is_some() { "GOMODCACHE" } else { "GOPATH" };
            Some(fix::go(facts, finding, name, None))
        }
        _ => Some(finding),
    }
}

/// E22: go has no place for what it builds (cmd/go `cache.Default`).
fn no_build_cache(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GOCACHE")?;
    if std::path::Path::new(value.raw()).is_absolute() {
        return None;
    }
    let is_here = *facts.target == crate::core::doctor::target::Target::Here;
    let severity = if is_here { Severity::Error } else { Severity::Warning };
    let why = if value.raw() == "off" {
        "go builds nothing without it"
    } else {
        "go refuses a relative path"
    };
    let cause = format!("GOCACHE={value} ({place}): {why}.");
    let finding = facts
        .finding("E22", severity, cause)
        .seen(Kind::Variable, place, format!("GOCACHE={value}"), "an absolute path")
        .affects(&[Tool::Go])
        .reproduce("go env GOCACHE");
    Some(fix::go(facts, finding, "GOCACHE", None))
}

/// E24: GOVCS forbids git for a module (cmd/go `vcs.CheckGOVCS`).
fn vcs(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GOVCS")?;
    let private = facts.go("GOPRIVATE").map(|(value, _)| value);
    let denied = facts.modules.iter().find(|module| {
        let is_private =
            private.as_ref().is_some_and(|it| pattern::matches(it.raw(), &module.path));
        !allows_git(value.raw(), &module.path, is_private)
    })?;
    let is_direct = facts.is_private(&denied.path) || facts.elements().is_empty();
    let severity = if is_direct { Severity::Error } else { Severity::Info };
    let cause = format!("GOVCS ({place}) forbids git for {}.", denied.path);
    let finding = facts
        .finding("E24", severity, cause)
        .seen(Kind::Variable, place, format!("GOVCS={value}"), "a rule that allows git")
        .affects(&[Tool::Go])
        .reproduce("go env GOVCS")
        .explains(&["G17"]);
    Some(fix::go(facts, finding, "GOVCS", None))
}

fn allows_git(rules: &str, module: &str, is_private: bool) -> bool {
    for rule in rules.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
        let Some((pattern, allowed)) = rule.rsplit_once(':') else { return false };
        let is_it = match pattern.trim() {
            "private" => is_private,
            "public" => !is_private,
            pattern => pattern::matches(pattern, module),
        };
        if is_it {
            return allowed.split('|').any(|name| matches!(name.trim(), "git" | "all"));
        }
    }
    true
}

/// E25: GOINSECURE is go's alone.
fn insecure(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GOINSECURE")?;
    let module = facts.modules.iter().find(|it| pattern::matches(value.raw(), &it.path))?;
    if facts.machine.variable("GIT_SSL_NO_VERIFY").is_some() {
        return None;
    }
    let cause = format!(
        "GOINSECURE ({place}) makes go take any certificate for {}; git, which go runs, still checks it.",
        module.path
    );
    let finding = facts
        .finding("E25", Severity::Warning, cause)
        .seen(
            Kind::Variable,
            place,
            format!("GOINSECURE={value}"),
            "the authority installed for both",
        )
        .affects(&[Tool::Git, Tool::Go])
        .explains(&["T01", "T02", "T03", "T04", "T05", "T07", "T20"]);
    // go may need it for what git is not asked: a person decides.
    Some(finding.run("go env -u GOINSECURE"))
}

/// E27: a name that go does not know.
fn unknown(facts: &Facts<'_>) -> Vec<Finding> {
    let machine = facts.machine;
    let mut names: Vec<(String, Place)> =
        machine.others.iter().map(|name| (name.clone(), Place::Variable(name.clone()))).collect();
    if let Some(file) = &machine.goenv {
        for (index, line) in file.lines.iter().flatten().enumerate() {
            let name = line.raw().split_once('=').map(|(name, _)| name.to_owned());
            let name = name.filter(|name| !name.starts_with('#') && !name.is_empty());
            let place = Place::File(file.path.clone(), Some(index + 1));
            names.extend(name.map(|name| (name, place)));
        }
    }
    names.iter().filter_map(|(name, place)| misspelt(facts, name, place)).collect()
}

fn misspelt(facts: &Facts<'_>, name: &str, place: &Place) -> Option<Finding> {
    let meant = meant(name)?;
    let cause = format!("go knows no {name} ({place}); {meant} is meant.");
    let explained: Vec<&'static str> = match meant {
        "GONOSUMDB" | "GOSUMDB" => vec!["S01", "S02", "S03", "S04", "S09", "S10", "S11"],
        "GOPRIVATE" | "GONOPROXY" => [NOT_THERE, &["S01", "S02", "S03"]].concat(),
        "GOPROXY" => [NOT_THERE, DIRECT, &["E06"]].concat(),
        "NETRC" | "GOAUTH" => vec!["A01", "A03", "A14"],
        _ => Vec::new(),
    };
    let severity = if facts.is_for_go() { Severity::Warning } else { Severity::Info };
    let finding = facts
        .finding("E27", severity, cause)
        .seen(Kind::Variable, place.clone(), name, meant)
        .affects(&[Tool::Go])
        .explains(&explained);
    let Place::File(file, Some(line)) = place else {
        let command = format!("export {meant}=\"${name}\"; unset {name}");
        return Some(finding.run(command));
    };
    let own = facts.machine.goenv.as_ref()?.lines.as_ref()?.get(line - 1)?;
    let shown = fix::quoted(&file.display().to_string());
    let value = own.raw().split_once('=').map_or("", |(_, value)| value.trim());
    // A list of patterns was meant to be `on`: there is no such switch.
    let is_switch = meant != "GO111MODULE" && matches!(value, "" | "0" | "1" | "on" | "true");
    let (command, text) = if is_switch {
        (format!("sed -i '{line}s/^/# /' {shown}"), None)
    } else {
        let text = own.raw().replacen(name, meant, 1);
        (format!("sed -i '{line}s/^{name}=/{meant}=/' {shown}"), Some(text))
    };
    Some(finding.run(command).change(Change::Line { file: file.clone(), line: *line, text }))
}

/// Returns the name that was meant.
fn meant(name: &str) -> Option<&'static str> {
    if gosettings::KNOWN.contains(&name) || FOREIGN.iter().any(|it| name.starts_with(it)) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    if let Some((_, meant)) = MEANT.iter().find(|(own, _)| *own == upper) {
        return Some(meant);
    }
    let is_go = upper.starts_with("GO") && name.len() >= 6;
    if let Some(own) = gosettings::KNOWN.iter().find(|own| is_go && **own == upper) {
        return Some(own);
    }
    // Names of a single letter's difference are common among short ones: GOROOT, GOBOOT.
    let most = if name.len() >= 8 { 2 } else { 1 };
    let deciding =
        DECIDING.iter().chain(&["GOINSECURE", "GOMODCACHE", "GOTOOLCHAIN", "GO111MODULE"]);
    let is_upper = name == upper;
    spelling::nearest(name, deciding.copied(), most).filter(|_| is_go && is_upper)
}

/// E47: a startup file sets what this program was started without.
fn elsewhere(facts: &Facts<'_>) -> Vec<Finding> {
    let names =
        ["HTTPS_PROXY", "https_proxy", "GOPROXY", "GOPRIVATE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"];
    let mut found = Vec::new();
    for name in names {
        let is_set = facts.machine.variables.contains_key(name)
            || name.starts_with("GO")
                && facts.go(name).is_some_and(|(_, place)| is_users(facts, &place));
        let Some((place, value)) = facts.machine.exported(name).filter(|_| !is_set) else {
            continue;
        };
        if value.raw().is_empty() || !mine(facts, &place) {
            continue;
        }
        let other = if name == "HTTPS_PROXY" { "https_proxy" } else { "HTTPS_PROXY" };
        if name.eq_ignore_ascii_case("https_proxy") && facts.machine.variable(other).is_some() {
            continue;
        }
        let (explained, tools): (Vec<&'static str>, &[Tool]) = match name {
            "GOPROXY" => ([DIRECT, &["E06"]].concat(), &[Tool::Go]),
            "GOPRIVATE" => (NOT_THERE.to_vec(), &[Tool::Go]),
            "SSL_CERT_FILE" => (vec!["T20", "T02"], &[Tool::Go, Tool::Curl]),
            "GIT_SSL_CAINFO" => (vec!["T20", "T02"], &[Tool::Git, Tool::Go]),
            _ => (DIRECT.to_vec(), &[Tool::Go, Tool::Git, Tool::Curl]),
        };
        let cause = format!("{place} sets {name}, but what runs here was started without it.");
        let finding = facts
            .finding("E47", Severity::Info, cause)
            .seen(
                Kind::Variable,
                Place::Variable(name.to_owned()),
                "not set",
                format!("{name}={value}"),
            )
            .seen(Kind::File, place.clone(), format!("{name}={value}"), "")
            .affects(tools)
            .explains(&explained);
        let shown = value.to_string();
        let is_plain = shown == value.raw() && !shown.contains('$');
        let Place::File(file, _) = &place else { continue };
        let source = format!(". {}", fix::quoted(&file.display().to_string()));
        found.push(if name.starts_with("GO") && is_plain {
            let change = Change::GoEnv { name: name.to_owned(), value: Some(shown.clone()) };
            let finding =
                finding.run(format!("go env -w {}", fix::quoted(&format!("{name}={shown}"))));
            if facts.machine.goenv.is_some() { finding.change(change) } else { finding }
        } else {
            finding.run(source)
        });
    }
    found
}

/// Returns whether a setting is the user's own, and not go's default.
fn is_users(facts: &Facts<'_>, place: &Place) -> bool {
    let file = facts.machine.goenv.as_ref().map(|file| &file.path);
    matches!(place, Place::File(path, _) if Some(path) == file)
}

fn mine(facts: &Facts<'_>, place: &Place) -> bool {
    matches!(place, Place::File(file, _) if fix::is_own(facts, file) || file.starts_with("/etc"))
}
