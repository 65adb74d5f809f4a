//! `torture PROGRAMS kill [--short]`: see `run.sh`.

mod home;
mod kill;

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_short = words.iter().any(|word| word == "--short");
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [programs, "kill"] | [programs, "kill", "--short"] => {
            kill::run(Path::new(programs), if is_short { 500 } else { 20_000 })
        }
        _ => {
            eprintln!("usage: sh tests/torture/run.sh kill [--short]");
            ExitCode::from(2)
        }
    }
}
