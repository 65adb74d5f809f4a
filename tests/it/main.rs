//! Integration tests: one binary, real programs.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking and tells people why it was skipped"
)]

mod budget;
mod docs;
mod layering;
