//! Headless Chromium, with a profile and temporary files of its own and without any request of its own.

use std::{ffi::OsString, fs, path::PathBuf};

use super::home::{Home, Run};

/// Prepares Chromium, started by a program with these arguments before Chromium's own.
pub(crate) fn chromium(
    home: &Home,
    program: PathBuf,
    before: impl IntoIterator<Item = impl Into<OsString>>,
) -> Run {
    fs::create_dir_all(temporary(home)).expect("a folder");
    home.run(program)
        // One that is killed leaves a folder there.
        .env("TMPDIR", temporary(home))
        .args(before)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update"])
        .args(["--disable-sync", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
}

/// Where its temporary files are.
pub(crate) fn temporary(home: &Home) -> PathBuf {
    home.path().join("tmp")
}
