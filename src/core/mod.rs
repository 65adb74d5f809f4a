//! Layer 0: pure code. Same bytes in, same value out; no IO, no clock, no environment.

pub mod config;
pub mod credential;
pub mod fault;
#[cfg(feature = "full")]
pub mod forge;
#[cfg(feature = "full")]
pub mod goauth;
pub mod goenv;
pub mod goproxy;
pub mod noproxy;
pub mod origin;
pub mod pattern;
#[cfg(feature = "full")]
pub mod probe;
pub mod secret;
#[cfg(feature = "full")]
pub mod setup;
pub mod text;
