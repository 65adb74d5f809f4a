//! Layer 0: pure code. Same bytes in, same value out; no IO, no clock, no environment.

pub mod config;
pub mod credential;
pub mod dbus;
pub mod fault;
pub mod gitproto;
pub mod netrc;
pub mod origin;
pub mod secret;
pub mod text;
