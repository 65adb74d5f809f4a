//! The links that the neighbours' tools find gocred by: `install/links.sh`, and what a link does.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use gocred::front::neighbour::Tool;

use crate::support::home::{GOCRED, Home, Output};

fn links(home: &Home, verb: &str, path: &Path) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/install/links.sh");
    let path = format!("{}:{}", path.display(), crate::support::path());
    home.run("sh").arg(script).arg(verb).arg(home.path().join("bin")).env("PATH", path).output()
}

/// A home with `bin/gocred`.
fn installed() -> (Home, PathBuf) {
    let home = Home::new();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(GOCRED, bin.join("gocred")).unwrap();
    (home, bin)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_tool_has_its_link_and_none_is_left_behind() {
    let (home, bin) = installed();
    let terraform = home.path().join(".terraform.d");
    fs::create_dir(&terraform).unwrap();
    for _ in 0..2 {
        assert_eq!(links(&home, "add", &bin).success(), "");
        let mut expected: Vec<_> = Tool::ALL.map(|(name, _)| name.to_owned()).into();
        expected.push("gocred".to_owned());
        expected.sort();
        assert_eq!(names(&bin), expected);
        assert_eq!(names(&terraform.join("plugins")), ["terraform-credentials-gocred"]);
    }
    for (name, _) in Tool::ALL {
        let output = home.run(bin.join(name)).arg("--no-such-word").output();
        assert!(output.code != Some(0), "{name}: {output:?}");
        assert!(!output.err().contains("Usage: gocred"), "{name}: {output:?}");
    }
    links(&home, "remove", &bin).success();
    assert_eq!(names(&bin), ["gocred"]);
    assert_eq!(names(&terraform.join("plugins")), [""; 0]);
}

#[test]
fn what_is_not_ours_stays() {
    let (home, bin) = installed();
    let theirs = home.write("bin/docker-credential-gocred", "theirs");
    let keyring = home.write("python/keyring", "#!/bin/sh\n");
    fs::set_permissions(&keyring, PermissionsExt::from_mode(0o755)).unwrap();
    symlink("/nowhere", bin.join("cargo-credential-gocred")).unwrap();
    let output = links(&home, "add", keyring.parent().unwrap());
    assert!(output.err().contains("docker-credential-gocred is not gocred's"), "{output:?}");
    assert!(output.err().contains("cargo-credential-gocred is not gocred's"), "{output:?}");
    assert!(output.success().contains("there is a `keyring` already"));
    assert!(!bin.join("keyring").exists() && !home.path().join(".terraform.d").exists());
    links(&home, "remove", &bin).success();
    assert_eq!(fs::read_to_string(theirs).unwrap(), "theirs");
    assert_eq!(names(&bin), ["cargo-credential-gocred", "docker-credential-gocred", "gocred"]);
}
