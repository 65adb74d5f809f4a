//! GOSUMDB: what is no checksum database, and who asks none. S06, S07, S12, S15.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::core::{
    doctor::{
        checks::{Facts, fix},
        finding::{Finding, Kind, Severity, Tool},
    },
    pattern,
};

/// The names whose keys cmd/go knows (`modfetch/key.go`).
const KNOWN: &[&str] = &["sum.golang.org", "sum.golang.google.cn"];

/// Returns what is wrong with it.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
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
        found.push(fix::go(facts, start("S06", severity, cause), "GOSUMDB", None));
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
