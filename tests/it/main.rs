//! Integration tests: a sentence each, against real programs.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

mod cli;
mod goauth;
mod goside_noproxy;
mod goside_pattern;
mod login;
mod netrc;
mod setup;
mod status;
mod support;

mod budget;
mod docs;
mod go_matrix;
mod goauth_git;
mod lab;
mod layering;
mod leak;
mod proxy_squid;
