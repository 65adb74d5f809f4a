//! The person at the terminal. Prompts never use the protocol's streams.

use std::io::{self, IsTerminal};

/// Returns whether a person can read what goes to standard error.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Returns whether a person can answer on standard input.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}
