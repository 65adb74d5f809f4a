//! What the helper may weigh: crates, bytes, and nothing of the daemon in it.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// The limit of decisions.md ("Counting"), without our own crate.
const MAX_CRATES: usize = 25;

/// The limit of the helper's release binary, in bytes.
const MAX_BYTES: u64 = 700_000;

#[test]
fn the_helper_stands_on_few_crates() {
    let output =
        cargo(&["tree", "-e", "normal", "--no-default-features", "--prefix", "none", "--offline"]);
    let crates: BTreeSet<&str> = output
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(crates.contains("gocred"));
    assert!(crates.len() - 1 <= MAX_CRATES, "{} crates: {crates:?}", crates.len() - 1);
    for heavy in ["clap", "tokio", "hyper", "rustls", "reqwest", "serde"] {
        assert!(!crates.contains(heavy), "the helper depends on {heavy}");
    }
}

#[test]
fn the_helper_is_small_and_links_nothing_of_the_daemon() {
    let helper = "git-credential-gocred";
    cargo(&["build", "--release", "--no-default-features", "--bin", helper, "--offline"]);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Into::into);
    let bytes = fs::read(target.join("release").join(helper)).unwrap();
    let size = u64::try_from(bytes.len()).unwrap();
    assert!(size <= MAX_BYTES, "{size} bytes");
    for foreign in ["clap_builder", "tokio", "hyper", "rustls", "reqwest"] {
        let found = bytes.windows(foreign.len()).any(|window| window == foreign.as_bytes());
        assert!(!found, "the helper contains {foreign}");
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
