//! How the programs are linked for Linux: they load little, because they run for each question of git. And
//! the catalogue of failures, from its files to a table: a file that is not whole does not build.

#[path = "build/catalogue.rs"]
mod catalogue;

use std::{fs, io, path::PathBuf};

/// Stands for `libgcc_s`, which std names. What is used of it lies in the compiler's static libraries,
/// too: the loader has one library less to map.
const STATIC: &str = "INPUT(-lgcc_eh -lgcc)\n";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script so what is built")]
fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let value = |name: &str| std::env::var_os(name);
    let is = |name: &str, expected: &str| value(name).is_some_and(|found| *found == *expected);
    if value("CARGO_FEATURE_DIAGNOSIS").is_some() {
        catalogue::write(&PathBuf::from(value("OUT_DIR").unwrap_or_default()))?;
    }
    if !is("CARGO_CFG_TARGET_OS", "linux") {
        return Ok(());
    }
    if is("CARGO_CFG_TARGET_ENV", "gnu") {
        let folder = PathBuf::from(value("OUT_DIR").unwrap_or_default());
        fs::write(folder.join("libgcc_s.so"), STATIC)?;
        println!("cargo:rustc-link-arg-bins=-L{}", folder.display());
    }
    if is("PROFILE", "release") {
        // A release never unwinds (`panic = "abort"`): the index of the tables, 11 KB, would only be loaded.
        println!("cargo:rustc-link-arg-bin=git-credential-gocred=-Wl,--no-eh-frame-hdr");
    }
    Ok(())
}
