//! `gocred route`, and the rules behind it compared with the tools themselves: random settings from a
//! grammar that hits their corners. `sh tests/emulate.sh` tries a million of each.

mod curl;
mod git;
mod go;
mod grammar;
