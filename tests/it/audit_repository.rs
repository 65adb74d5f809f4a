//! What enters the dependency tree is what `deny.toml` lets in; cargo-deny need not be there.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, process::Command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_dependency_has_a_license_that_is_allowed() {
    let allowed = list("licenses", "allow");
    assert!(allowed.contains("MIT") && allowed.contains("MPL-2.0"), "{allowed:?}");
    let packages = packages();
    assert!(packages.len() > 50, "{} packages", packages.len());
    for (name, license) in &packages {
        let license = license.replace('/', " OR ");
        assert!(is_met(&license, &allowed), "{name}: {license}");
    }
    for wrong in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "(MIT OR ISC) AND X"] {
        assert!(!is_met(wrong, &allowed), "{wrong}");
    }
    assert!(is_met("X OR (MIT AND ISC)", &allowed));
}

#[test]
fn no_dependency_is_one_that_is_banned() {
    let banned = list("bans", "deny");
    assert!(banned.contains("zbus") && banned.contains("openssl-sys"), "{banned:?}");
    for (name, _) in packages() {
        assert!(!banned.contains(&name), "{name}");
    }
}

/// Returns a list of `deny.toml`: texts, or the crates of tables.
fn list(section: &str, key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(format!("{ROOT}/deny.toml")).unwrap();
    let table: toml_edit::DocumentMut = text.parse().unwrap();
    let items = table[section][key].as_array().unwrap().iter();
    let name = |item: &toml_edit::Value| item.as_str().map(str::to_owned);
    let named = |item: &toml_edit::Value| name(item.as_inline_table()?.get("crate")?);
    items.map(|item| name(item).or_else(|| named(item)).unwrap()).collect()
}

/// Returns every package that this system builds, with its license.
fn packages() -> Vec<(String, String)> {
    let cargo = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO")).args(arguments).current_dir(ROOT).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let lines = cargo(&[
        "tree",
        "--offline",
        "--locked",
        "--prefix",
        "none",
        "-e",
        "normal,build,dev",
        "-f",
        "{p} | {l}",
    ]);
    let lines: BTreeSet<&str> = lines.lines().filter(|line| line.contains(" | ")).collect();
    let package = |line: &str| {
        let (name, license) = line.split_once(" | ").unwrap();
        let name = name.split(' ').next().unwrap().to_owned();
        (name, license.trim_end_matches(" (*)").to_owned())
    };
    lines.into_iter().map(package).collect()
}

/// Returns whether an SPDX expression is met: AND binds more than OR.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let (mut open, mut rest) = (0_usize, expression.trim());
    if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
        && !inner.contains(['(', ')'])
    {
        rest = inner;
    }
    let words: Vec<&str> = rest.split(' ').collect();
    for operator in ["OR", "AND"] {
        for (at, word) in words.iter().enumerate() {
            open = open + word.matches('(').count() - word.matches(')').count();
            if *word == operator && open == 0 {
                let met = |words: &[&str]| is_met(&words.join(" "), allowed);
                let (left, right) = (&words[..at], &words[at + 1..]);
                return if operator == "OR" {
                    met(left) || met(right)
                } else {
                    met(left) && met(right)
                };
            }
        }
    }
    allowed.contains(rest)
}
