//! Integration tests: a sentence each, against real programs.

mod netrc;
mod support;
