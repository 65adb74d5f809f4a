//! How go writes paths and versions, which of them it sends to anybody (x/mod `module`), and which it takes of a list.

use std::fmt::Write as _;

/// Escapes a path or a version for a URL: an upper-case letter becomes `!` and its small one (x/mod
/// `module.EscapePath`), and `!` is `%21` on the wire (modfetch `pathEscape`).
pub(super) fn wire(text: &str) -> String {
    escaped(text).replace('!', "%21")
}

/// See [`wire`], without the last step.
pub(in crate::core::doctor) fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            written.push('!');
            written.push(c.to_ascii_lowercase());
        } else if c.is_ascii_alphanumeric() || "-._~/+$&=:@!".contains(c) {
            written.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(written, "%{byte:02X}");
            }
        }
    }
    written
}

/// Whether go tries to fetch a path at all: its first element is a host name (x/mod `module.CheckPath`).
pub(in crate::core::doctor) fn is_fetchable(path: &str) -> bool {
    let host = path.split('/').next().unwrap_or_default();
    let is_host =
        host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
    is_host
        && host.contains('.')
        && !host.starts_with('-')
        && !path.split('/').any(str::is_empty)
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c))
}

/// Whether go sends a version, or a query in its place, to anybody (x/mod `module.EscapeVersion`).
pub(in crate::core::doctor) fn is_version(version: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-._~/+".contains(c);
    !version.is_empty()
        && version.chars().all(is_word)
        && !version.starts_with('-')
        && !version.ends_with('.')
}

/// Whether a version is a query that the list of versions answers: `latest`, `>=v1.2.0` (cmd/go
/// `modload.newQueryMatcher`).
pub(in crate::core::doctor) fn is_newest(version: &str) -> bool {
    matches!(version, "latest" | "upgrade" | "patch") || version.starts_with(['<', '>'])
}

/// Whether a version is the beginning of one: `v1`, `v1.2`.
pub(in crate::core::doctor) fn is_prefix(version: &str) -> bool {
    version.strip_prefix('v').is_some_and(|rest| {
        let is_number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        rest.split('.').count() < 3 && rest.split('.').all(is_number)
    })
}

/// Whether a version is a whole one, and no name of a branch or a commit: `v1.2.3`, with what may follow.
pub(in crate::core::doctor) fn is_whole(version: &str) -> bool {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').count() == 3
        && release.strip_prefix('v').is_some_and(|rest| {
            rest.split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

/// Returns the version of an `.info` file, or of `@latest`.
pub(in crate::core::doctor) fn version_of(info: &[u8]) -> Option<String> {
    let info: serde_json::Value = serde_json::from_slice(info).ok()?;
    Some(info.get("Version")?.as_str()?.to_owned())
}

/// Returns the highest release of a list, else the highest pre-release: of those that begin with `v1` or `v1.2`, where
/// that was asked for (modload `newQueryMatcher`).
pub(in crate::core::doctor) fn chosen<'a>(list: &'a str, prefix: Option<&str>) -> Option<&'a str> {
    let of_prefix = |version: &&str| {
        prefix.is_none_or(|prefix| {
            version.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let versions = list.lines().filter_map(|line| line.split_whitespace().next());
    let versions = versions.filter(|version| version.starts_with('v')).filter(of_prefix);
    versions.max_by_key(|version| {
        let version = version.split('+').next().unwrap_or_default();
        let (release, pre) = version.split_once('-').unwrap_or((version, ""));
        let mut numbers =
            release.trim_start_matches('v').split('.').map(|n| n.parse().unwrap_or(0_u64));
        let mut next = || numbers.next().unwrap_or_default();
        (pre.is_empty(), [next(), next(), next()], pre.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{chosen, is_fetchable, is_prefix, is_whole, wire};

    #[test]
    fn a_version_is_told_from_a_question() {
        for (version, whole, prefix) in [
            ("v1.2.3", true, false),
            ("v1.2.3-0.20240101000000-abcdefabcdef", true, false),
            ("v1.2.3+incompatible", true, false),
            ("v1.2", false, true),
            ("v1", false, true),
            ("v1.", false, false),
            ("master", false, false),
            ("abcdef123456", false, false),
        ] {
            assert_eq!((is_whole(version), is_prefix(version)), (whole, prefix), "{version}");
        }
    }

    #[test]
    fn a_path_is_written_as_go_writes_it() {
        assert_eq!(wire("example.com/Pub"), "example.com/%21pub");
        assert_eq!(wire("v1.0.0+incompatible"), "v1.0.0+incompatible");
        assert_eq!(wire("feature x"), "feature%20x");
    }

    #[test]
    fn what_go_never_fetches_is_not_asked_for() {
        for path in
            ["internalpkg/lib", "git_corp.test/x", "git.corp.test:8443/x", "-h.test/x", "h.test//x"]
        {
            assert!(!is_fetchable(path), "{path}");
        }
        assert!(is_fetchable("git.corp.test/team/lib") && is_fetchable("example.com/Pub/v2"));
    }

    #[test]
    fn the_newest_release_is_taken() {
        for (list, prefix, version) in [
            ("v1.2.0\nv1.10.0\nv2.0.0-rc.1\n", None, Some("v1.10.0")),
            ("v0.1.0-a\nv0.1.0-b\n", None, Some("v0.1.0-b")),
            (" \n", None, None),
            ("v1.9.0\nv10.0.0\nv1.10.0 2026-01-01T00:00:00Z\n", Some("v1"), Some("v1.10.0")),
            ("v1.2.0\nv1.2.3\nv1.20.0\n", Some("v1.2"), Some("v1.2.3")),
            ("v1.2.0\n", Some("v2"), None),
        ] {
            assert_eq!(chosen(list, prefix), version, "{list} {prefix:?}");
        }
    }
}
