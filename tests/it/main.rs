//! Integration tests: a sentence each, against real programs.

mod cli;
mod goauth;
mod goside_noproxy;
mod goside_pattern;
mod login;
mod netrc;
mod setup;
mod status;
mod support;
