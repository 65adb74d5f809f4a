//! Layer 0: pure code. Same bytes in, same value out; no IO, no clock, no environment.

pub mod config;
pub mod credential;
pub mod dbus;
pub mod fault;
pub mod gitproto;
#[cfg(feature = "full")]
pub mod goauth;
pub mod goenv;
pub mod goproxy;
pub mod netrc;
pub mod noproxy;

pub mod origin;
pub mod pattern;
pub mod secret;
pub mod text;
