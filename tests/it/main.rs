//! Integration tests: a sentence each, against real programs.

mod keyring;
mod keyring_faults;
mod support;
