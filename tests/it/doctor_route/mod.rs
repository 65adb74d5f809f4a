//! `gocred route`, and the rules behind it compared with the tools themselves: random settings from a
//! grammar that hits their corners. `sh tests/emulate.sh` tries a million of each.

mod command;
mod curl;
mod git;
mod git_dials;
mod go;
mod grammar;
