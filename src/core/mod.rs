//! Layer 0: pure code. Same bytes in, same value out; no IO, no clock, no environment.

pub mod config;
pub mod credential;
pub mod fault;
pub mod origin;
pub mod secret;
#[cfg(feature = "full")]
pub mod setup;
pub mod text;
