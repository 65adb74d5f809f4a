//! The repositories of the farm's git hosts: `team/lib` and `team/dep` of each, at v1.0.0.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Hosts that serve modules of their own name; every other one serves those of `pub.corp.test`.
pub(super) const SITES: &[&str] =
    &["pub.corp.test", "git.corp.test", "authall.corp.test", "complete.corp.test", "rsa.corp.test"];

/// The host of a repository that is a shallow copy.
pub(super) const SHALLOW_HOST: &str = "shallow.corp.test";

/// Makes them.
pub(super) fn make(folder: &Path) {
    cut_off(folder);
    for host in SITES {
        for name in ["lib", "dep"] {
            let bare = folder.join(format!("repos/{host}/team/{name}.git"));
            fs::create_dir_all(&bare).expect("a folder");
            git(&bare, &["init", "--quiet", "--bare", "--initial-branch=main", "."], "");
            let mut stream =
                "commit refs/heads/main\ncommitter Farm <farm@corp.test> 1767323045 +0000\n\
                              data 3\nall\n"
                    .to_owned();
            for (file, text) in files(host, name) {
                let length = text.len();
                let _ = write!(stream, "M 100644 inline {file}\ndata {length}\n{text}\n");
            }
            stream += "reset refs/tags/v1.0.0\nfrom refs/heads/main\n\n";
            git(&bare, &["fast-import", "--quiet"], &stream);
        }
    }
}

/// Makes a copy without history of a repository that has some: what `git clone --depth 1` leaves on a server.
fn cut_off(folder: &Path) {
    let (whole, bare) =
        (folder.join("whole.git"), folder.join(format!("repos/{SHALLOW_HOST}/team/lib.git")));
    fs::create_dir_all(&whole).expect("a folder");
    git(&whole, &["init", "--quiet", "--bare", "--initial-branch=main", "."], "");
    let mut stream = String::new();
    for message in ["old", "new"] {
        let _ = write!(
            stream,
            "commit refs/heads/main\ncommitter Farm <farm@corp.test> 1767323045 +0000\ndata 3\n{message}\n"
        );
        for (file, text) in files(SHALLOW_HOST, "lib") {
            let length = text.len();
            let _ = write!(stream, "M 100644 inline {file}\ndata {length}\n{text}\n");
        }
    }
    stream += "reset refs/tags/v1.0.0\nfrom refs/heads/main\n\n";
    git(&whole, &["fast-import", "--quiet"], &stream);
    let url = format!("file://{}", whole.display());
    let into = bare.display().to_string();
    git(folder, &["clone", "--quiet", "--bare", "--depth", "1", &url, &into], "");
}

/// The files of a module.
pub(super) fn files(host: &str, name: &str) -> Vec<(String, String)> {
    vec![
        ("go.mod".to_owned(), format!("module {host}/team/{name}\n\ngo 1.18\n")),
        ("lib.go".to_owned(), format!("package {name}\n\nconst N = 1\n")),
    ]
}

fn git(folder: &Path, arguments: &[&str], input: &str) {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    assert!(child.wait().expect("git").success(), "git {arguments:?}");
}
