//! GOSUMDB: what is no checksum database, and who asks none. S06, S07, S12, S15; and go.sum where it is none, S13.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::core::{
    doctor::{
        checks::{Facts, fix},
        finding::{Finding, Kind, Severity, Tool},
        place::Place,
        private::Private,
        target::Target,
    },
    pattern,
};

/// The names whose keys cmd/go knows (`modfetch/key.go`).
const KNOWN: &[&str] = &["sum.golang.org", "sum.golang.google.cn"];

/// Returns what is wrong with it.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = unreadable(facts).into_iter().collect();
    found.extend(of_setting(facts));
    found
}

/// S13: a line of go.sum that is none (cmd/go `modfetch.readGoSum`).
fn unreadable(facts: &Facts<'_>) -> Option<Finding> {
    let sums = &facts.machine.module.as_ref()?.go_sum;
    let is_odd = |line: &&str| !matches!(line.split_whitespace().count(), 0 | 3);
    let mut lines = sums.lines.iter().flatten().map(Private::raw).enumerate();
    let (index, line) = lines.find(|(_, line)| is_odd(line))?;
    let place = Place::File(sums.path.clone(), Some(index + 1));
    let is_merge = ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
    let why = if is_merge { ": a merge was left unfinished" } else { "" };
    let cause = format!("{place} is no line of go.sum, so go reads none of it{why}.");
    let count = line.split_whitespace().count();
    let severity = if *facts.target == Target::Here { Severity::Error } else { Severity::Warning };
    let finding = facts
        .finding("S13", severity, cause)
        .seen(Kind::File, place, format!("{count} fields"), "module, version, hash")
        .affects(&[Tool::Go])
        .reproduce("go mod verify")
        .run("rm go.sum && go mod tidy")
        .explains(&["M16", "M17"]);
    Some(finding)
}

fn of_setting(facts: &Facts<'_>) -> Vec<Finding> {
    let Some((value, place)) = facts.go("GOSUMDB") else {
        return nobody(facts).into_iter().collect();
    };
    let raw = value.raw();
    let start = |code, severity, cause: String| {
        facts
            .finding(code, severity, cause)
            .seen(
                Kind::Variable,
                place.clone(),
                format!("GOSUMDB={value}"),
                "sum.golang.org, or a verifier key and its URL",
            )
            .affects(&[Tool::Go])
            .reproduce("go env GOSUMDB")
            .explains(&["S01", "S02", "S03", "S04", "S05", "S09", "S10", "S11"])
    };
    if raw == "off" {
        let cause = format!(
            "GOSUMDB=off ({place}): no download is compared with what others got. GONOSUMDB names the private ones and keeps the rest safe."
        );
        let severity = if facts.is_for_go() { Severity::Warning } else { Severity::Info };
        // Who switched it off may have no way to the database: a person decides.
        return vec![start("S12", severity, cause).run("go env -u GOSUMDB")];
    }
    let fields: Vec<&str> = raw.split_whitespace().collect();
    let is_asked = facts.is_for_go() && asks(facts);
    let severity = if is_asked { Severity::Error } else { Severity::Warning };
    if fields.len() > 2 {
        let cause = format!(
            "GOSUMDB ({place}) has {} fields; go takes a key and a URL, and no more.",
            fields.len()
        );
        let is_good = |(key, url): &(&&str, &&str)| {
            (KNOWN.contains(key) || is_verifier(key)) && url.starts_with("https://")
        };
        let kept = fields.first().zip(fields.get(1)).filter(is_good);
        let kept = kept.map(|(key, url)| format!("{key} {url}"));
        return vec![fix::go(facts, start("S07", severity, cause), "GOSUMDB", kept.as_deref())];
    }
    let key = fields.first().copied().unwrap_or_default();
    let mut found = Vec::new();
    if !KNOWN.contains(&key) && !is_verifier(key) {
        let cause =
            format!("GOSUMDB ({place}) begins with neither a known name nor a verifier key.");
        let finding = start("S06", severity, cause).explains(&["S01", "S03", "S04", "S05", "S10"]);
        found.push(fix::go(facts, finding, "GOSUMDB", None));
    }
    found.extend(nobody(facts));
    found
}

/// Returns whether the database is asked for some wanted module.
fn asks(facts: &Facts<'_>) -> bool {
    let except = facts.go("GONOSUMDB").or_else(|| facts.go("GOPRIVATE"));
    let is_excepted = |path: &str| {
        except.as_ref().is_some_and(|(patterns, _)| pattern::matches(patterns.raw(), path))
    };
    facts.modules.iter().any(|module| !is_excepted(&module.path))
}

/// S15: GONOSUMDB excepts everything.
fn nobody(facts: &Facts<'_>) -> Option<Finding> {
    let (value, place) = facts.go("GONOSUMDB")?;
    let is_all = value.raw().split(',').any(|pattern| matches!(pattern, "*" | "**" | "*.*"));
    if !is_all || !facts.is_for_go() {
        return None;
    }
    let cause =
        format!("GONOSUMDB={value} ({place}) excepts every module from the checksum database.");
    let finding = facts
        .finding("S15", Severity::Warning, cause)
        .seen(Kind::Variable, place, format!("GONOSUMDB={value}"), "the private modules only")
        .affects(&[Tool::Go]);
    Some(finding.run("go env -u GONOSUMDB"))
}

/// Returns whether a text is a verifier key: name, hash and Ed25519 key (x/mod `note.NewVerifier`).
fn is_verifier(text: &str) -> bool {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(key) = BASE64_STANDARD.decode(key) else { return false };
    let mut digest = Sha256::new();
    digest.update(name.as_bytes());
    digest.update(b"\n");
    digest.update(&key);
    let digest = digest.finalize();
    let own: Vec<String> = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    !name.is_empty() && key.first() == Some(&1) && key.len() == 33 && own.concat() == hash
}

#[cfg(test)]
mod tests {
    use super::is_verifier;

    #[test]
    fn a_verifier_key_carries_its_own_hash() {
        let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        assert!(is_verifier(key));
        for wrong in [
            "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.corp.test",
            "a+b+c",
            "",
        ] {
            assert!(!is_verifier(wrong), "{wrong}");
        }
    }
}
