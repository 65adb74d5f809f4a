//! Integration tests: a sentence each, against real programs.

mod git_chain;
mod git_corpus;
mod git_hostile;
mod git_protocol;
mod goauth;
mod goside_noproxy;
mod goside_pattern;
mod import;
mod keyring;
mod keyring_faults;
mod netrc;
mod support;
