//! Whether the version that is wanted is among the references of its repository, by go's rules for tags
//! (go.dev/ref/mod#vcs-version, "Mapping versions to commits").
//!
//! Pseudo-versions and commits are `pseudo`'s.

use super::{answered, import, pseudo};
use crate::core::{
    doctor::{
        finding::{Confidence, Finding},
        judge::Case,
        leg::Leg,
        probe::Http,
        refs::Refs,
        shell::quoted,
    },
    text,
};

/// Judges the references that a repository named.
pub(super) fn finding(leg: &Leg<'_>, http: &Http, refs: &Refs, case: &Case<'_>) -> Option<Finding> {
    let wanted = leg.module.as_ref()?;
    let module = wanted.path.as_str();
    let version = wanted.version.as_deref().filter(|version| *version != "latest");
    if refs.is_whole && refs.names.is_empty() {
        return Some(empty(leg, http, module));
    }
    let version = version?;
    let folder = folder(leg, case, module);
    let Some(number) = release(version) else {
        return named(leg, http, refs, version, case);
    };
    let tag = version.trim_end_matches("+incompatible");
    let tag = if folder.is_empty() { tag.to_owned() } else { format!("{folder}/{tag}") };
    let of_path = major(module).map(|(_, number)| number);
    if let Some(finding) = other_major(leg, http, (module, of_path), (version, number)) {
        return Some(finding);
    }
    let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    if let Some(own) = pseudo::parse(version) {
        return pseudo::finding(leg, http, refs, (version, &own, &below), case);
    }
    if refs.has(&format!("refs/tags/{tag}")) {
        let is_other = of_path.is_none() && number > 1 && !version.ends_with("+incompatible");
        return is_other.then(|| {
            let reason = format!(
                "{version} is a v{number}, whose path ends with /v{number} by go's rules: {module}/v{number}."
            );
            let finding = answered("G25", reason, leg, http).confidence(Confidence::Likely);
            let wanted = quoted(&format!("{module}/v{number}@{version}"));
            finding.run(format!("go mod download {wanted}"))
        });
    }
    if !is_known_to_lack(refs, &format!("refs/tags/{tag}")) {
        return None;
    }
    let tags = || refs.tags().filter_map(|own| own.strip_prefix(below.as_str()));
    let same =
        of_path.is_some() && refs.is_whole && !tags().any(|own| release(own) == Some(number));
    let newest: Vec<&str> = tags().filter(|own| release(own).is_some()).collect();
    let known = newest.iter().rev().take(3).copied().collect::<Vec<_>>().join(", ");
    let known = text::printable(&known);
    if known.is_empty() && of_path.is_none() && refs.is_whole {
        let own = tag.strip_prefix(below.as_str()).unwrap_or(&tag);
        let is_of_root = !folder.is_empty() && refs.has(&format!("refs/tags/{own}"));
        if is_of_root {
            return Some(package(leg, http, module, (&folder, version)));
        }
    }
    let known = if known.is_empty() { "no version at all".to_owned() } else { known };
    let (code, reason) = if same {
        let reason = format!(
            "{module} is the path of v{number}, and its repository has no tag {below}v{number}.…: it has {known}."
        );
        ("G25", reason)
    } else {
        ("G24", format!("the repository of {module} has no tag {tag}: it has {known}."))
    };
    Some(answered(code, reason, leg, http).run(list(leg)))
}

fn empty(leg: &Leg<'_>, http: &Http, module: &str) -> Finding {
    let reason = format!("the repository of {module} is empty: {} names no reference.", leg.url());
    answered("G24", reason, leg, http)
}

/// M18: a folder that no tag is about, in a repository that has this very version: a package, and no module.
fn package(leg: &Leg<'_>, http: &Http, module: &str, (folder, version): (&str, &str)) -> Finding {
    let root = module.strip_suffix(folder).unwrap_or(module).trim_end_matches('/');
    let reason = format!(
        "{module} is no module of its own: no tag of its repository begins with {folder}/, and {version} is a version of {root}, of which it is a folder."
    );
    let wanted = quoted(&format!("{root}@{version}"));
    answered("M18", reason, leg, http)
        .confidence(Confidence::Likely)
        .explains(&["G24"])
        .run(format!("go get {wanted}"))
}

/// A version of another major number than the path's. Without one in the path, a tag may be there all the same.
fn other_major(
    leg: &Leg<'_>,
    http: &Http,
    (module, of_path): (&str, Option<u64>),
    (version, number): (&str, u64),
) -> Option<Finding> {
    let reason = match of_path {
        Some(of_path) if of_path != number => format!(
            "{module} is the path of v{of_path}, and {version} is a v{number}: go takes only versions of the \
             path's own major version."
        ),
        None if number > 1 && !version.ends_with("+incompatible") => {
            pseudo::parse(version)?;
            format!(
                "{version} is a v{number}, and a path without /v{number} has versions of v0 and v1 only."
            )
        }
        _ => return None,
    };
    Some(answered("G25", reason, leg, http).explains(&["G24", "M23"]))
}

/// A branch, a tag, or a beginning of a version (`v1`, `v1.2`).
fn named(leg: &Leg<'_>, http: &Http, refs: &Refs, name: &str, case: &Case<'_>) -> Option<Finding> {
    let module = leg.module.as_ref()?.path.as_str();
    let is_id = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_query =
        name.starts_with(['<', '>', '=']) || matches!(name, "upgrade" | "patch" | "none");
    let is_there = refs.has(&format!("refs/heads/{name}"))
        || refs.has(&format!("refs/tags/{name}"))
        || refs.has(name)
        || refs.tags().any(|tag| {
            tag.rsplit('/').next().is_some_and(|tag| tag.starts_with(&format!("{name}.")))
        });
    if is_query || is_there {
        return None;
    }
    if is_id {
        return pseudo::commit(leg, http, refs, (name, &name.to_ascii_lowercase()), case);
    }
    if !refs.is_whole {
        return None;
    }
    let reason = format!("the repository of {module} has neither a branch nor a tag {name}.");
    Some(answered("G24", reason, leg, http).run(list(leg)))
}

/// Whether a reference is missing for sure: either all are here, or those behind it in the order of
/// names, in which a server lists them (gitprotocol-pack, "Reference Discovery").
fn is_known_to_lack(refs: &Refs, name: &str) -> bool {
    let is_behind = refs.names.last().is_some_and(|last| last.as_str() > name);
    refs.is_whole || is_behind
}

/// Returns the folder of the repository that a module is in.
fn folder(leg: &Leg<'_>, case: &Case<'_>, module: &str) -> String {
    let root = import::of(leg, case).map_or_else(|| root(module), |(_, tag)| tag.prefix);
    let stem = major(module).map_or(module, |(stem, _)| stem);
    let folder = stem.strip_prefix(&root).unwrap_or_default();
    folder.trim_matches('/').to_owned()
}

/// Returns the root of a path that needs no page: up to `.git`, else three elements.
fn root(module: &str) -> String {
    let elements: Vec<&str> = module.split('/').collect();
    let dotted = elements.iter().position(|element| element.strip_suffix(".git").is_some());
    let count = dotted.map_or(3, |index| index + 1);
    elements.into_iter().take(count).collect::<Vec<_>>().join("/")
}

/// Returns a path without its major version, and that: `h/x/v2` and `gopkg.in/x.v2` are of 2.
pub(super) fn major(path: &str) -> Option<(&str, u64)> {
    let end = path.trim_end_matches(|c: char| c.is_ascii_digit());
    let number: u64 = path.get(end.len()..)?.parse().ok()?;
    let stem = if path.starts_with("gopkg.in/") {
        end.strip_suffix(".v")
    } else {
        end.strip_suffix("/v").filter(|_| number > 1)
    };
    stem.map(|stem| (stem, number))
}

/// Returns the major number of a whole version.
fn release(version: &str) -> Option<u64> {
    let numbers = version.strip_prefix('v')?.split(['-', '+']).next()?;
    let mut numbers = numbers.split('.').map(str::parse::<u64>);
    let major = numbers.next()?.ok()?;
    let is_whole = numbers.next()?.is_ok() && numbers.next()?.is_ok() && numbers.next().is_none();
    is_whole.then_some(major)
}

pub(super) fn list(leg: &Leg<'_>) -> String {
    let url = leg.url();
    format!("git ls-remote --tags {}", quoted(url.split("/info/refs?").next().unwrap_or(&url)))
}
