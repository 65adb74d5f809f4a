//! Integration tests: a sentence each, against real programs.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

mod budget;
mod cli;
mod docs;
mod go_matrix;
mod goauth;
mod goauth_git;
mod goside_noproxy;
mod goside_pattern;
mod layering;
mod leak;
mod login;
mod netrc;
mod proxy_auth;
mod proxy_connect;
mod proxy_http;
mod proxy_lab;
mod setup;
mod status;
mod support;
