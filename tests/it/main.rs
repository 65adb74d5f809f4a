//! Integration tests: a sentence each, against real programs.

mod goside_noproxy;
mod goside_pattern;
mod import;
mod netrc;
mod support;
