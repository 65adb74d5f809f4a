//! Integration tests: a sentence each, against real programs.

mod cli;
mod git_chain;
mod git_corpus;
mod git_hostile;
mod git_protocol;
mod goauth;
mod goside_noproxy;
mod goside_pattern;
mod import;
mod login;
mod netrc;
mod setup;
mod status;
mod support;
