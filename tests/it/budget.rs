//! What the helper may weigh: crates, bytes, system calls, and nothing of the daemon in it.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::support::{git::Desk, home::HELPER, program};

/// The limit of decisions.md ("Counting"), without our own crate.
const MAX_CRATES: usize = 25;

/// The limit of the helper's release binary, in bytes.
const MAX_BYTES: u64 = 700_000;

/// The limit of the helper's system calls for an answer from the keyring, the loader's included, and
/// what it costs to write down who asked.
const MAX_CALLS: usize = 110;

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
    cargo(&["build", "--profile", "helper", "--no-default-features", "--bin", helper, "--offline"]);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Into::into);
    let bytes = fs::read(target.join("helper").join(helper)).unwrap();
    let size = u64::try_from(bytes.len()).unwrap();
    assert!(size <= MAX_BYTES, "{size} bytes");
    for foreign in ["clap_builder", "tokio", "hyper", "rustls", "reqwest"] {
        let found = bytes.windows(foreign.len()).any(|window| window == foreign.as_bytes());
        assert!(!found, "the helper contains {foreign}");
    }
}

#[test]
fn a_get_from_the_keyring_starts_nobody_and_asks_the_kernel_little() {
    let Some(strace) = program("strace", "strace") else { return };
    let Some(desk) = Desk::new() else { return };
    let ask = "protocol=https\nhost=git.corp.test\n";
    desk.store(format!("{ask}username=ana\npassword=hunter2\n"));
    // The first release of all makes the record's file and its key.
    desk.get(ask);
    let trace = desk.home.path().join("trace");
    let run = desk.run(strace).args(["-f", "-o"]).arg(&trace).args([HELPER, "get"]).input(ask);
    assert_eq!(run.output().success(), "username=ana\npassword=hunter2\n");
    let trace = fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> = trace
        .lines()
        // std asks so before each `close`, in a build with assertions only.
        .filter(|line| !line.contains("F_GETFD"))
        .filter_map(|line| line.split_once(' ')?.1.trim().split_once('('))
        .map(|(call, _)| call)
        .collect();
    assert!(calls.contains(&"execve"), "{trace}");
    assert!(calls.len() <= MAX_CALLS, "{} system calls", calls.len());
    for start in ["clone", "clone3", "fork", "vfork"] {
        assert!(!calls.contains(&start), "a get calls {start}");
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
