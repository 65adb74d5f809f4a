//! Leaves the index of the unwind tables out of the helper: a release never unwinds (`panic = "abort"`),
//! and the 11 KB would only be loaded.

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script so what is built")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|found| found == *value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo:rustc-link-arg-bin=git-credential-gocred=-Wl,--no-eh-frame-hdr");
    }
}
