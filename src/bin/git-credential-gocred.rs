//! The git credential helper: `credential.helper = /absolute/path/git-credential-gocred`.

use std::process::ExitCode;

use gocred::{front::git, sys::harden::harden};

fn main() -> ExitCode {
    harden();
    git::main(std::env::args_os().nth(1).as_deref())
}
