//! The disk, the temporary folder, the module cache, the clock. L01–L06, L08.

use std::path::{Path, PathBuf};

use crate::core::doctor::{
    checks::{Facts, fix},
    finding::{Change, Finding, Kind, Severity, Tool},
    gosettings,
    machine::{Stat, What},
    place::Place,
    target::Target,
};

/// Less than this is full, in bytes: go's own files of one module take more.
const FULL: u64 = 1 << 20;
/// Less than this is nearly full.
const TIGHT: u64 = 64 << 20;
/// So far behind a file's time a clock is wrong, in seconds.
const BEHIND: u64 = 86_400;

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = cache(facts).into_iter().collect();
    found.extend(built(facts));
    found.extend(temporary(facts));
    found.extend(corrupt(facts));
    found.extend(locked(facts));
    found.extend(clock(facts));
    found
}

/// Returns the nearest folder that is there, and what is known of it.
fn nearest(facts: &Facts<'_>, path: &Path) -> Option<(PathBuf, Stat)> {
    path.ancestors().find_map(|path| {
        let stat = facts.machine.paths.get(path)?;
        (stat.what != What::Missing).then(|| (path.to_owned(), *stat))
    })
}

/// L01, L02, L05: go cannot write into its cache.
fn cache(facts: &Facts<'_>) -> Option<Finding> {
    let cache = gosettings::modcache(facts.machine)?;
    let deep = ["cache/download", "cache/vcs", "cache", ""].map(|name| cache.join(name));
    let mut known = deep.iter().filter_map(|path| nearest(facts, path));
    let is_shut = |(_, about): &(PathBuf, Stat)| {
        about.is_read_only || !about.is_writable || about.what != What::Folder
    };
    let mut closed = known.clone().filter(is_shut);
    if let Some((path, about)) = closed.next() {
        let finding = shut(facts, &cache, &path, about);
        return Some(closed.fold(finding, |finding, (path, about)| {
            finding.with_changes_of(shut(facts, &cache, &path, about))
        }));
    }
    let (path, about) = known.next()?;
    let free = about.free.filter(|free| *free < TIGHT)?;
    let severity = if free < FULL { facts.for_go() } else { Severity::Warning };
    let shown = cache.display();
    let cause = format!("{} KiB are free where go's module cache {shown} is.", free / 1024);
    let finding = facts.finding("L02", severity, cause);
    let finding = at(finding, &path, format!("{free} bytes free"), "64 MiB");
    Some(elsewhere(facts, finding.run("go clean -cache")))
}

/// L01 and L05 of the build cache, without which no package is loaded (cmd/go `cache.Default`).
fn built(facts: &Facts<'_>) -> Option<Finding> {
    let cache = gosettings::gocache(facts.machine)?;
    let (path, about) = nearest(facts, &cache)?;
    if about.what == What::Folder && about.is_writable && !about.is_read_only {
        return None;
    }
    let code = if about.is_read_only { "L01" } else { "L05" };
    let is_here = *facts.target == Target::Here;
    let severity = if is_here { Severity::Error } else { Severity::Warning };
    let (cache, shown) = (cache.display(), path.display());
    let cause = format!("go cannot keep what it builds in {cache}: {shown} cannot be written to.");
    let observed = format!("owner {}, mode {:04o}", about.owner, about.mode);
    let finding = at(facts.finding(code, severity, cause), &path, observed, "a folder of yours");
    Some(finding.run("go env -u GOCACHE; unset GOCACHE"))
}

fn at(finding: Finding, path: &Path, observed: String, expected: &str) -> Finding {
    finding
        .seen(Kind::File, Place::File(path.to_owned(), None), observed, expected)
        .affects(&[Tool::Go])
        // What cannot be kept is not counted either.
        .explains(&["M17"])
        .reproduce(format!("ls -ld {0}; df {0}", fix::quoted(&path.display().to_string())))
}

/// L01 and L05: a folder of the cache that may not be written.
fn shut(facts: &Facts<'_>, cache: &Path, path: &Path, about: Stat) -> Finding {
    let shown = fix::quoted(&path.display().to_string());
    let Stat { what, mode, owner, is_read_only, .. } = about;
    if is_read_only {
        let cause = format!(
            "go's module cache {} is on a file system that is mounted read-only.",
            cache.display()
        );
        let finding = facts.finding("L01", facts.for_go(), cause);
        let finding = at(finding, path, "read-only".to_owned(), "writable");
        return elsewhere(facts, finding.run("go env -w GOMODCACHE=$HOME/go-mod"));
    }
    let (cause, observed) = if what == What::Folder {
        let path = path.display();
        (
            format!("{path} belongs to user {owner}, and this user may not write there."),
            format!("owner {owner}, mode {mode:04o}"),
        )
    } else {
        (format!("{} is no folder.", path.display()), "no folder".to_owned())
    };
    let finding = at(facts.finding("L05", facts.for_go(), cause), path, observed, "yours");
    if owner == facts.machine.uid && what == What::Folder {
        let change = Change::Mode { file: path.to_owned(), mode: mode | 0o700 };
        return finding.run(format!("chmod u+rwx {shown}")).change(change);
    }
    finding.run(format!("sudo chown -R \"$(id -u)\" {shown}"))
}

/// Lets go keep its modules below the home folder, if a setting of the user's named the place.
fn elsewhere(facts: &Facts<'_>, finding: Finding) -> Finding {
    let usual = facts.machine.home.as_ref();
    let has_room = usual.and_then(|home| facts.machine.paths.get(home)).is_some_and(|home| {
        home.is_writable && !home.is_read_only && home.free.is_none_or(|free| free >= TIGHT)
    });
    match facts.go("GOMODCACHE") {
        Some((_, Place::File(..))) if has_room => fix::go(facts, finding, "GOMODCACHE", None),
        _ => finding,
    }
}

/// L03: the folder for temporary files.
fn temporary(facts: &Facts<'_>) -> Option<Finding> {
    let (path, name) = gosettings::tmpdir(facts.machine);
    let stat = facts.machine.paths.get(&path)?;
    let why = match stat.what {
        What::Missing => "is not there",
        What::Folder if stat.is_writable => return None,
        What::Folder => "may not be written",
        What::File | What::Other => "is no folder",
    };
    let by = name.map_or(String::new(), |name| format!(" ({name})"));
    let cause = format!("The folder for temporary files {}{by} {why}.", path.display());
    let place = name
        .map_or_else(|| Place::File(path.clone(), None), |name| Place::Variable(name.to_owned()));
    let shown = fix::quoted(&path.display().to_string());
    let finding = facts
        .finding("L03", facts.for_go(), cause)
        .seen(Kind::File, place, path.display().to_string(), "a folder that may be written")
        .affects(&[Tool::Go])
        .reproduce(format!("ls -ld {shown}"))
        .run(format!("mkdir -p {shown}"));
    Some(match stat.what {
        What::Missing => finding.change(Change::Folder { path }),
        _ => finding.run("unset TMPDIR GOTMPDIR"),
    })
}

/// L04: a file of the cache is not what it should be.
fn corrupt(facts: &Facts<'_>) -> Vec<Finding> {
    let broken = facts.machine.cached.iter().filter(|(_, cached)| !cached.is_whole);
    broken
        .map(|(module, cached)| {
            let cause = format!(
                "go's copy of {module} is no whole zip file, and go takes it again and again."
            );
            let shown = fix::quoted(&cached.zip.display().to_string());
            let finding = facts
                .finding("L04", facts.for_go(), cause)
                .seen(
                    Kind::File,
                    Place::File(cached.zip.clone(), None),
                    "no zip file",
                    "a zip file",
                )
                .affects(&[Tool::Go])
                .reproduce(format!("unzip -t {shown}"))
                .run("go clean -modcache")
                .explains(&["M09", "M12", "M16"]);
            if !fix::is_own(facts, &cached.zip) {
                return finding;
            }
            // go fetches both anew; what it made of the broken one it compares with this hash.
            let paths = vec![cached.zip.clone(), cached.zip.with_extension("ziphash")];
            finding.change(Change::Aside { paths })
        })
        .collect()
}

/// L06: another process holds a lock.
fn locked(facts: &Facts<'_>) -> Vec<Finding> {
    let locks = facts.machine.locks.iter();
    locks
        .map(|(file, holder)| {
            let cause =
                format!("Process {holder} holds {}: go waits until it ends.", file.display());
            let severity = if facts.is_for_go() { Severity::Error } else { Severity::Info };
            facts
                .finding("L06", severity, cause)
                .confidence(crate::core::doctor::finding::Confidence::Likely)
                .seen(
                    Kind::File,
                    Place::File(file.clone(), None),
                    format!("locked by process {holder}"),
                    "free",
                )
                .affects(&[Tool::Go])
                .reproduce(format!("grep {holder} /proc/locks"))
                .run(format!("ps -o pid,etime,args -p {holder}"))
        })
        .collect()
}

/// L08: files are younger than now.
fn clock(facts: &Facts<'_>) -> Option<Finding> {
    let (path, at) = facts.machine.newest.as_ref()?;
    let ahead = at.saturating_sub(facts.machine.now);
    if ahead < BEHIND {
        return None;
    }
    let days = ahead / 86_400;
    let cause = format!("The clock is {days} days behind the last change of {}.", path.display());
    let finding = facts
        .finding("L08", Severity::Warning, cause)
        .seen(
            Kind::File,
            Place::File(path.clone(), None),
            format!("changed {days} days from now"),
            "in the past",
        )
        .affects(&[Tool::Go, Tool::Git, Tool::Curl])
        .reproduce("date -u")
        .run("sudo timedatectl set-ntp true")
        .explains(&["A31", "A32"]);
    Some(finding)
}
