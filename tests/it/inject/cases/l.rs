//! L: the local machine.

use crate::inject::case::{Case, Tool::Go};

/// A module through GOPROXY.
const PUBLIC: &str = "example.com/pub@v1.0.0";

/// A git of 2015, by what it says.
const OLD_GIT: &str = "#!/bin/sh\nPATH=${PATH#*:}\n\
    case $1 in version | --version) echo git version 1.8.3.1 ;; *) exec git \"$@\" ;; esac\n";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [files(), around()].concat()
}

/// Files and folders.
fn files() -> Vec<Case> {
    let main = "package main\n\nfunc main() {}\n";
    vec![
        Case::new("L01").about("the module cache is read-only").module(PUBLIC).root(|stage| {
            stage.sh("mkdir -p {HOME}/go/pkg/mod && mount -t tmpfs -o ro none {HOME}/go/pkg/mod");
        }),
        Case::new("L02").about("the disk is full").module(PUBLIC).root(|stage| {
            stage.sh(
                "mkdir -p {HOME}/go/pkg/mod && mount -t tmpfs -o size=16k none {HOME}/go/pkg/mod",
            );
        }),
        Case::new("L03")
            .about("TMPDIR is not there")
            .env("TMPDIR", "{HOME}/missing")
            .file("{WORK}/main.go", main)
            .here("module work.test/main\n\ngo 1.21\n")
            .go(&["build", "./..."])
            .fixed(),
        Case::new("L04")
            .about("a zip file of the cache is none")
            .file(
                "~/go/pkg/mod/cache/download/example.com/pub/@v/v1.0.0.zip",
                "this was a zip file once",
            )
            .module(PUBLIC)
            .fixed(),
        Case::new("L05")
            .about("the cache is root's")
            .user()
            .folder("~/go/pkg/mod/cache")
            .owner("~/go/pkg/mod/cache", 0)
            .module(PUBLIC),
        Case::new("L05")
            .about("the cache may not be written")
            .user()
            .folder("~/go/pkg/mod/cache/download")
            .mode("~/go/pkg/mod/cache/download", 0o500)
            .module(PUBLIC)
            .fixed(),
        Case::new("L06")
            .about("another process holds the lock")
            .folder("~/go/pkg/mod/cache/download/example.com/pub/@v")
            .module(PUBLIC)
            .prepare(|stage| {
                let lock = "{HOME}/go/pkg/mod/cache/download/example.com/pub/@v/v1.0.0.lock";
                stage.serve(&format!("exec flock -x {lock} sleep 60"));
                stage.sh(&format!(
                    "until grep -q FLOCK /proc/locks && test -e {lock}; do sleep 0.05; done"
                ));
            })
            .hangs(&[Go]),
    ]
}

/// Programs and the clock.
fn around() -> Vec<Case> {
    vec![
        // go runs what PATH has; only `git version` is another one's.
        Case::new("L07")
            .about("git is of 2015")
            .file("~/old/git", OLD_GIT)
            .mode("~/old/git", 0o755)
            .wrap(&["sh", "-c", "PATH=\"$HOME/old:$PATH\" exec \"$@\"", "sh"])
            .origin("pub.corp.test")
            .succeeds(&[Go]),
        Case::new("L08")
            .about("the clock is three days behind its own files")
            .env("NO_FAKE_STAT", "1")
            .wrap(&["faketime", "-f", "-3d"])
            .goenv("GOPROXY=http://goproxyh.corp.test")
            .goenv("GONOSUMDB=example.com")
            .module(PUBLIC)
            .succeeds(&[Go]),
    ]
}
