//! Asks git for its configuration. Never on the helper's `get`.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

#[cfg(feature = "full")]
use crate::core::gitproto::Request;
use crate::{
    core::setup::gitconfig::{Listed, parse_list},
    sys::{env::Env, paths::Paths, run},
};

/// How long git may take to print its configuration.
const LIMIT: Duration = Duration::from_secs(10);

/// Finds git on PATH.
pub fn program(env: &Env) -> Option<PathBuf> {
    run::find(if cfg!(windows) { "git.exe" } else { "git" }, env.text("PATH")?)
}

/// Returns every value of the system's and the user's configuration, in the order in which git
/// reads them. A repository's own configuration is not among them: it is asked from the root folder.
pub fn configuration(git: &Path) -> io::Result<Vec<Listed>> {
    let arguments = ["-C", "/", "config", "--list", "--show-origin", "-z"].map(OsStr::new);
    // Set by a hook or an editor, these would bring a repository in again.
    let env = [("GIT_DIR", None), ("GIT_WORK_TREE", None)];
    let output = run::run(git, &arguments, &env, b"", LIMIT)?;
    if output.code != Some(0) {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or("it gave no reason");
        return Err(io::Error::other(first.to_owned()));
    }
    Ok(parse_list(&output.stdout))
}

/// Returns what git would ask its credential helpers for a URL: with which path, and for which account
/// (`credential.useHttpPath`, `credential.username`). It asks nobody else, and no repository has a say.
#[cfg(feature = "full")]
pub fn asks(git: &Path, url: &str) -> io::Result<Request> {
    // The empty value takes every other helper away. What the only one is told goes to standard error,
    // with an empty line behind it: git's own words come after that.
    let helper = "credential.helper=!f() { cat >&2; echo >&2; echo quit=1; }; f";
    let arguments = ["-C", "/", "-c", "credential.helper=", "-c", helper, "credential", "fill"];
    let env = [
        ("GIT_DIR", None),
        ("GIT_WORK_TREE", None),
        ("GIT_TRACE", None),
        ("GIT_TERMINAL_PROMPT", Some(OsStr::new("0"))),
    ];
    let input = format!("url={url}\n\n");
    let output = run::run(git, &arguments.map(OsStr::new), &env, input.as_bytes(), LIMIT)?;
    let said = &output.stderr;
    let end = said.windows(2).position(|two| two == b"\n\n").unwrap_or(said.len());
    let request = Request::decode(said.get(..end).unwrap_or_default());
    let request = request.ok().filter(|request| request.host.is_some());
    request.ok_or_else(|| io::Error::other("git does not say what it would ask"))
}

/// Returns whether git takes a ready `Authorization` from a helper (`authtype`, since 2.46). A git that
/// says nothing does not.
#[cfg(feature = "full")]
pub fn takes_headers(env: &Env) -> bool {
    let said = program(env).and_then(|git| {
        let output = run::run(&git, &[OsStr::new("--version")], &[], b"", LIMIT).ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    let version = |said: &str| {
        let mut numbers = said.split(' ').nth(2)?.trim().split('.');
        let number = |text: &str| text.parse::<u32>().ok();
        Some((number(numbers.next()?)?, number(numbers.next()?)?))
    };
    said.as_deref().and_then(version).is_some_and(|version| version >= (2, 46))
}

/// Returns the file that `git config --global` writes: `$GIT_CONFIG_GLOBAL`, else `~/.gitconfig`,
/// else `$XDG_CONFIG_HOME/git/config` where only that exists (git-config(1), FILES).
pub fn global_file(env: &Env, paths: &Paths) -> PathBuf {
    if let Some(file) = env.path("GIT_CONFIG_GLOBAL") {
        return file;
    }
    let plain = paths.home.join(".gitconfig");
    let base = env.path("XDG_CONFIG_HOME").unwrap_or_else(|| paths.home.join(".config"));
    let xdg = base.join("git/config");
    if !plain.exists() && xdg.exists() { xdg } else { plain }
}
