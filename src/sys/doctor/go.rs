//! go: where it is, its version, and what its own `go.env` says. It is run only where no file tells.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    core::doctor::machine::{Machine, Program, Text},
    sys::{doctor::text, env::Env, run},
};

/// How long go may take to print two of its settings.
const LIMIT: Duration = Duration::from_secs(3);

/// Finds and reads it.
pub(super) fn read(machine: &Machine, env: &Env) -> (Option<Program>, Option<Text>) {
    let name = if cfg!(windows) { "go.exe" } else { "go" };
    let Some(go) = env.text("PATH").and_then(|path| run::find(name, path)) else {
        return (None, None);
    };
    let named = machine.variable("GOROOT").map(|root| PathBuf::from(root.raw()));
    let real = go.canonicalize().ok();
    let own = real.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
    let found = named.into_iter().chain(own).find_map(|root| {
        let version = version(&text::read(&root.join("VERSION")))?;
        Some((root, version))
    });
    let (root, version) = match found {
        Some((root, version)) => (Some(root), version),
        None => asked(&go).unwrap_or_default(),
    };
    let goroot_env = root.map(|root| text::read_as_go(&root.join("go.env")));
    (Some(Program { path: go, version }), goroot_env)
}

/// Returns the version in a VERSION file: its first line.
fn version(text: &Text) -> Option<String> {
    let first = text.lines.as_ref()?.first()?.raw().trim();
    first.starts_with("go").then(|| first.to_owned())
}

/// Asks a go that stands outside its own folder: a wrapper.
fn asked(go: &Path) -> Option<(Option<PathBuf>, String)> {
    let arguments = ["env", "GOROOT", "GOVERSION"].map(OsStr::new);
    let local = [("GOTOOLCHAIN", Some(OsStr::new("local")))];
    let output = run::run(go, &arguments, &local, b"", LIMIT).ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines = said.lines().map(str::trim);
    let root = lines.next().filter(|root| !root.is_empty()).map(PathBuf::from);
    Some((root, lines.next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::version;
    use crate::core::doctor::machine::Text;

    #[test]
    fn the_version_is_the_first_line() {
        let text = Text::of("VERSION", "go1.27.3\ntime 2026-10-01T00:00:00Z\n");
        assert_eq!(version(&text).as_deref(), Some("go1.27.3"));
        assert_eq!(version(&Text::of("VERSION", "devel x")), None);
    }
}
