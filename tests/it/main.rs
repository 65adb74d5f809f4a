//! Integration tests: a sentence each, against real programs.

mod cli;
mod login;
mod setup;
mod status;
mod support;
