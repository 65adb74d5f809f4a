//! Versions that name a commit: pseudo-versions (go.dev/ref/mod#pseudo-versions) and ids. G24, M23.
//!
//! An advertisement names the ends of branches and tags, and no commit behind them. What can be told all the same
//! is told: a form that go refuses, a tag that would have to precede, a server that keeps nothing but the ends.
//! Whether any other commit is there only a fetch shows, and none is made here.

use super::{answered, revision::list};
use crate::core::doctor::{
    finding::{Confidence, Finding, Severity},
    judge::Case,
    leg::Leg,
    probe::Http,
    refs::Refs,
    shell::quoted,
};

/// How many digits of a commit go writes (x/mod `module.PseudoVersion`, modfetch `ShortenSHA1`).
const DIGITS: usize = 12;

/// A pseudo-version, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pseudo<'a> {
    base: Base,
    time: &'a str,
    id: &'a str,
}

/// The tag that a pseudo-version follows.
#[derive(Debug, PartialEq, Eq)]
enum Base {
    /// None: `vX.0.0-TIME-ID`.
    None,
    Tag(String),
    /// `v1.2.0-0.TIME-ID`: there is none before.
    Impossible,
}

/// Takes a version apart, where it is one (x/mod `module.IsPseudoVersion`).
pub(super) fn parse(version: &str) -> Option<Pseudo<'_>> {
    let version = version.split('+').next()?;
    let (rest, id) = version.rsplit_once('-')?;
    let at = rest.rfind(['-', '.'])?;
    let (before, time) = (rest.get(..at)?, rest.get(at + 1..)?);
    let (separator, digits) =
        (rest.get(at..=at)?, |text: &str| text.bytes().all(|b| b.is_ascii_digit()));
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if time.len() != 14 || !digits(time) || !is_id {
        return None;
    }
    let release = before.split('-').next()?.strip_prefix('v')?;
    let numbers: Vec<&str> = release.split('.').collect();
    let [major, minor, patch] = numbers.as_slice() else { return None };
    let is_number = |text: &&&str| !text.is_empty() && digits(text);
    if ![major, minor, patch].iter().all(is_number) {
        return None;
    }
    let base = match (separator, before.strip_suffix("-0"), before.strip_suffix(".0")) {
        ("-", ..) if !before.contains('-') && (*minor, *patch) == ("0", "0") => Base::None,
        (".", Some(next), _) if !next.contains('-') => {
            match patch.parse::<u64>().ok()?.checked_sub(1) {
                Some(patch) => Base::Tag(format!("v{major}.{minor}.{patch}")),
                None => Base::Impossible,
            }
        }
        (".", _, Some(tag)) if tag.contains('-') => Base::Tag(tag.to_owned()),
        _ => return None,
    };
    Some(Pseudo { base, time, id })
}

/// Judges a pseudo-version (modfetch `validatePseudoVersion`). `folder` is that of the module, with its slash.
pub(super) fn finding(
    leg: &Leg<'_>,
    http: &Http,
    refs: &Refs,
    (version, pseudo, folder): (&str, &Pseudo<'_>, &str),
    case: &Case<'_>,
) -> Option<Finding> {
    let module = leg.module.as_ref()?.path.as_str();
    if let Some(why) = refused(pseudo, version, module) {
        return Some(unfit(leg, http, version, module, &why));
    }
    let id = pseudo.id.to_ascii_lowercase();
    if let Base::Tag(tag) = &pseudo.base {
        let name = format!("refs/tags/{folder}{tag}");
        let is_it = |own: &str| own == name || own.starts_with(&format!("{name}+"));
        if refs.is_whole && !refs.names.iter().any(|own| is_it(own)) {
            let why = format!("it follows {folder}{tag}, and its repository has no such tag");
            return Some(unfit(leg, http, version, module, &why));
        }
        if refs.commits.get(&name).is_some_and(|commit| commit.starts_with(&id)) {
            let why = format!("its commit is {folder}{tag} itself, by which go wants it called");
            return Some(unfit(leg, http, version, module, &why));
        }
    }
    commit(leg, http, refs, (version, &id), case)
}

/// Returns why go refuses a pseudo-version, whatever the repository has.
fn refused(pseudo: &Pseudo<'_>, version: &str, module: &str) -> Option<String> {
    let part = |from: usize, to: usize| {
        pseudo.time.get(from..to).and_then(|part| part.parse::<u32>().ok()).unwrap_or(99)
    };
    let is_date = (1..=12).contains(&part(4, 6)) && (1..=31).contains(&part(6, 8));
    let is_time = part(8, 10) < 24 && part(10, 12) < 60 && part(12, 14) < 60;
    let is_hex = pseudo.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Other version control has other names for its commits.
    if is_hex && pseudo.id.len() != DIGITS {
        return Some(format!(
            "go writes {DIGITS} digits of the commit, and these are {}",
            pseudo.id.len()
        ));
    }
    if !is_date || !is_time {
        return Some(format!("{} is no time", pseudo.time));
    }
    match pseudo.base {
        Base::Impossible => Some("there is no version before it that it could follow".to_owned()),
        Base::None if version.starts_with("v1.") && super::revision::major(module).is_none() => {
            Some("without a tag before it, it has to begin with v0.0.0".to_owned())
        }
        _ => None,
    }
}

fn unfit(leg: &Leg<'_>, http: &Http, version: &str, module: &str, why: &str) -> Finding {
    let reason = format!("{version} is no version of {module} that go takes: {why}.");
    answered("M23", reason, leg, http)
        .run(format!("go get {}", quoted(&format!("{module}@main"))))
        .explains(&["G24"])
}

/// Judges a commit by the digits that are known of it.
pub(super) fn commit(
    leg: &Leg<'_>,
    http: &Http,
    refs: &Refs,
    (version, id): (&str, &str),
    case: &Case<'_>,
) -> Option<Finding> {
    let module = leg.module.as_ref()?.path.as_str();
    let name = format!("{module}@{version}");
    let command = format!("GOFLAGS=-mod=mod go list -m {}", quoted(&name));
    let is_end = refs.commits.values().any(|own| own.starts_with(id));
    if is_end && id == version.to_ascii_lowercase() {
        return None;
    }
    if is_end {
        let reason = format!(
            "the repository of {module} has the commit of {version}; whether its time is that of the version only a fetch shows."
        );
        let finding = answered("M23", reason, leg, http).severity(Severity::Info);
        return Some(finding.confidence(Confidence::Possible).run(command));
    }
    let ends = format!("none of the {} branches and tags", refs.commits.len());
    // Whose parents the server does not have itself (gitprotocol-pack, "Reference Discovery").
    let is_shallow = !refs.shallow.is_empty();
    let is_all = refs.is_whole && refs.commits.values().all(|own| refs.shallow.contains(own));
    if is_shallow && is_all {
        let reason = format!(
            "the repository of {module} ends with its branches and tags (it is a shallow copy), and {ends} has the commit {id} of {version}."
        );
        return Some(answered("G24", reason, leg, http).run(list(leg)));
    }
    let (severity, confidence, why) = if is_known(case, module, version) {
        (Severity::Info, Confidence::Possible, "go.sum has it, so it was there once")
    } else if is_shallow {
        (
            Severity::Warning,
            Confidence::Likely,
            "the server has a shallow copy, which lacks what is older",
        )
    } else {
        (Severity::Warning, Confidence::Possible, "go has to fetch all of it to find the commit")
    };
    let reason = format!(
        "whether the repository of {module} has {version} cannot be told from outside: {ends} ends at the commit {id}; {why}."
    );
    let finding = answered("G24", reason, leg, http).severity(severity);
    Some(finding.confidence(confidence).run(command))
}

/// Whether somebody had it before: its sum is written down, or it is in the module cache.
fn is_known(case: &Case<'_>, module: &str, version: &str) -> bool {
    let start = format!("{module} {version}");
    let sums = case.machine.module.as_ref().and_then(|own| own.go_sum.lines.as_ref());
    let mut lines = sums.into_iter().flatten();
    let is_its = |rest: &str| rest.starts_with([' ', '/']);
    lines.any(|line| line.raw().strip_prefix(&start).is_some_and(is_its))
        || case.machine.cached.get(&format!("{module}@{version}")).is_some_and(|zip| zip.is_whole)
}

#[cfg(test)]
mod tests {
    use super::{Base, parse};

    #[test]
    fn a_pseudo_version_is_taken_apart_as_go_does() {
        let tag = |tag: &str| Some(Base::Tag(tag.to_owned()));
        for (version, base) in [
            ("v0.0.0-20260102030405-0123456789ab", Some(Base::None)),
            ("v2.0.0-20260102030405-0123456789ab+incompatible", Some(Base::None)),
            ("v1.2.4-0.20260102030405-0123456789ab", tag("v1.2.3")),
            ("v1.2.3-rc.1.0.20260102030405-0123456789ab", tag("v1.2.3-rc.1")),
            ("v1.2.0-0.20260102030405-0123456789ab", Some(Base::Impossible)),
            ("v0.0.0-20260102030405-abcdef1", Some(Base::None)),
            ("v1.2.3-20260102030405-0123456789ab", None),
            ("v1.2.3-2026010203040-0123456789ab", None),
            ("v1.2.3", None),
            ("v1.2.3-rc.1", None),
            ("main", None),
            ("", None),
        ] {
            assert_eq!(parse(version).map(|pseudo| pseudo.base), base, "{version}");
        }
    }
}
