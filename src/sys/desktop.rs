//! The desktop's proxy settings, as its own programs tell them.

use std::{ffi::OsStr, io, path::Path, time::Duration};

use thiserror::Error;

use crate::{
    core::pac::desktop::{self, Desktop},
    sys::{env::Env, files, run},
};

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(3);
/// The largest settings file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Why nothing is known.
#[derive(Debug, Error)]
pub enum Error {
    /// The settings cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is no desktop whose settings we know.
    #[error("there is no desktop that gocred knows: neither {0}")]
    None(&'static str),
    /// The settings say nothing that we understand.
    #[error("{0} says nothing that gocred understands")]
    Unclear(&'static str),
}

/// Returns what the desktop is set to.
pub fn ask(env: &Env) -> Result<Desktop, Error> {
    if cfg!(target_os = "macos") {
        let printed = printed(Path::new("/usr/sbin/scutil"), &["--proxy"])?;
        return Ok(desktop::macos(&printed));
    }
    if cfg!(windows) {
        const KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
        let printed = printed(Path::new(r"C:\Windows\System32\reg.exe"), &["query", KEY])?;
        return Ok(desktop::windows(&printed));
    }
    let is_kde = env
        .text("XDG_CURRENT_DESKTOP")
        .is_some_and(|names| names.split(':').any(|name| name == "KDE"));
    if is_kde && let Some(desktop) = kde(env)? {
        return Ok(desktop);
    }
    if let Some(gsettings) = env.text("PATH").and_then(|path| run::find("gsettings", path)) {
        let printed = printed(&gsettings, &["list-recursively", "org.gnome.system.proxy"])?;
        return desktop::gnome(&printed).ok_or(Error::Unclear("gsettings"));
    }
    kde(env)?.ok_or(Error::None("gsettings nor ~/.config/kioslaverc is here"))
}

fn kde(env: &Env) -> Result<Option<Desktop>, Error> {
    let folder = env.path("XDG_CONFIG_HOME");
    let folder = folder.or_else(|| env.path("HOME").map(|home| home.join(".config")));
    let Some(file) = folder.map(|folder| folder.join("kioslaverc")) else { return Ok(None) };
    let Some(bytes) = files::read(&file, MAX_FILE)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    desktop::kde(&text).ok_or(Error::Unclear("kioslaverc")).map(Some)
}

fn printed(program: &Path, arguments: &[&str]) -> io::Result<String> {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let output = run::run(program, &arguments, &[], b"", LIMIT)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
