//! gocred's own files: what others may read or write (A28), and what a killed gocred left behind (K31).

use std::path::PathBuf;

use crate::core::doctor::{
    checks::{Facts, NO_LOGIN, fix},
    finding::{Change, Finding, Kind, Severity},
    machine::{Stat, What},
    place::Place,
};

/// What the store says of itself, where it refuses an open file.
const STORE: &[&str] = &["K05", "K07", "K08", "K19", "K20", "G03", "G04", "G07"];

/// Returns what is wrong.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    open(facts).into_iter().chain(left(facts)).collect()
}

/// Returns the bits that nobody else may have. The configuration holds no secret, and a folder's names are none.
fn forbidden(path: &std::path::Path, stat: &Stat) -> u32 {
    let is_config = path.extension().is_some_and(|end| end == "toml");
    if stat.what == What::Folder || is_config { 0o022 } else { 0o077 }
}

fn open(facts: &Facts<'_>) -> Option<Finding> {
    if cfg!(windows) {
        return None;
    }
    let own = &facts.machine.gocred.files;
    let is_open = |(path, stat): &&(PathBuf, Stat)| {
        stat.owner == facts.machine.uid && stat.mode & forbidden(path, stat) != 0
    };
    let found: Vec<_> = own.iter().filter(is_open).collect();
    let (path, stat) = found.first()?;
    let others = match found.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let what = if forbidden(path, stat) == 0o022 { "write" } else { "read or write" };
    let shown = path.display();
    let cause =
        format!("{shown}{others} is gocred's own, and other users of this machine may {what} it.");
    let shown = fix::quoted(&shown.to_string());
    let mut finding = facts
        .finding("A28", Severity::Warning, cause)
        .run(format!("chmod go-rwx {shown}"))
        .reproduce(format!("ls -ld {shown}"))
        .explains(&[STORE, NO_LOGIN].concat());
    for (path, stat) in found {
        let mode = stat.mode & !forbidden(path, stat);
        let place = Place::File(path.clone(), None);
        let (observed, expected) = (format!("mode {:04o}", stat.mode), format!("mode {mode:04o}"));
        finding = finding.seen(Kind::File, place, observed, expected);
        finding = finding.change(Change::Mode { file: path.clone(), mode });
    }
    Some(finding)
}

fn left(facts: &Facts<'_>) -> Option<Finding> {
    let left = &facts.machine.gocred.left;
    let first = left.first()?;
    let more = match left.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let is_socket = first.extension().is_some_and(|end| end == "sock");
    let what = if is_socket {
        "a socket on which nobody listens any more"
    } else {
        "a file that was never finished, with a copy of what it was to become (of the encrypted store: encrypted as \
         that was)"
    };
    let cause = format!("A gocred that was killed left {}{more} behind: {what}.", first.display());
    let shown = fix::quoted(&first.display().to_string());
    let mut finding = facts
        .finding("K31", Severity::Warning, cause)
        .run(format!("rm {shown}"))
        .reproduce(format!("ls -l {shown}"));
    for path in left {
        let place = Place::File(path.clone(), None);
        finding = finding.seen(Kind::File, place, "left behind", "nothing");
    }
    Some(finding.change(Change::Aside { paths: left.clone() }))
}

#[cfg(all(test, unix))]
mod tests {
    use super::findings;
    use crate::core::doctor::{
        checks::Facts,
        finding::Change,
        machine::{Machine, Stat, What},
        target::Target,
    };

    #[test]
    fn only_what_may_not_be_open_is_closed() {
        let stat = |what, mode, owner| Stat { what, mode, owner, ..Stat::default() };
        for (path, stat, closed) in [
            ("/h/gocred/vault", stat(What::File, 0o644, 7), Some(0o600)),
            ("/h/gocred/vault", stat(What::File, 0o600, 7), None),
            ("/h/gocred/vault", stat(What::File, 0o644, 8), None),
            ("/h/gocred/config.toml", stat(What::File, 0o644, 7), None),
            ("/h/gocred/config.toml", stat(What::File, 0o664, 7), Some(0o644)),
            ("/h/gocred", stat(What::Folder, 0o755, 7), None),
            ("/h/gocred", stat(What::Folder, 0o777, 7), Some(0o755)),
        ] {
            let mut machine = Machine { uid: 7, ..Machine::default() };
            machine.gocred.files = vec![(path.into(), stat)];
            let found = findings(&Facts::of(&Target::Here, &machine));
            let changes: Vec<_> = found.into_iter().flat_map(|it| it.fix.changes).collect();
            let wanted = closed.map(|mode| Change::Mode { file: path.into(), mode });
            assert_eq!(changes, Vec::from_iter(wanted), "{path} {:o}", stat.mode);
        }
    }
}
