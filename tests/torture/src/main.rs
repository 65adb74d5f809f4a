//! `torture PROGRAMS kill|inject|canary`: see `run.sh`.

mod canary;
mod flow;
mod home;
mod inject;
mod kill;
mod memory;
mod process;
mod secret;
mod trace;
mod upstream;
mod world;

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_short = words.iter().any(|word| word == "--short");
    let words = words.iter().map(String::as_str).filter(|word| *word != "--short");
    match words.collect::<Vec<_>>()[..] {
        [programs, "kill"] => kill::run(Path::new(programs), if is_short { 500 } else { 20_000 }),
        [programs, "canary"] => canary::run(Path::new(programs), false),
        [programs, "canary", "--list"] => canary::run(Path::new(programs), true),
        [programs, "inject"] => inject::run(Path::new(programs), is_short, None),
        [programs, "inject", only] => inject::run(Path::new(programs), is_short, Some(only)),
        _ => {
            eprintln!("usage: sh tests/torture/run.sh kill|inject [--short], or canary [--list]");
            ExitCode::from(2)
        }
    }
}
