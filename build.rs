//! How the programs are linked for Linux: they load little, because they run for each question of git.

use std::{fs, io, path::PathBuf};

/// Stands for `libgcc_s`, which std names. A release never unwinds (`panic = "abort"`), and what else is
/// used of it lies in the compiler's static libraries: the loader has one library less to map.
const STATIC: &str = "INPUT(-lgcc_eh -lgcc)\n";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script so what is built")]
fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let value = |name: &str| std::env::var_os(name);
    let is = |name: &str, expected: &str| value(name).is_some_and(|found| *found == *expected);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        // The index of the unwind tables: 11 KB that would only be loaded.
        let helper = "cargo:rustc-link-arg-bin=git-credential-gocred";
        println!("{helper}=-Wl,--no-eh-frame-hdr");
        if is("CARGO_CFG_TARGET_ENV", "gnu") {
            let folder = PathBuf::from(value("OUT_DIR").unwrap_or_default());
            fs::write(folder.join("libgcc_s.so"), STATIC)?;
            println!("cargo:rustc-link-arg-bins=-L{}", folder.display());
        }
    }
    Ok(())
}
