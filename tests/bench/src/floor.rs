//! The floors: small programs in C that do nothing but what cannot be left out.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Compiles the one of this name.
pub fn compiled(name: &str, work: &Path) -> PathBuf {
    let program = work.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{name}.c"));
    let mut command = Command::new("cc");
    command.args(["-O2", "-pthread", "-o"]).arg(&program).arg(source);
    let status = command.status().expect("cc: apt-get install gcc");
    assert!(status.success(), "cc {status}");
    program
}
