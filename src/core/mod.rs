//! Layer 0: pure code. Same bytes in, same value out; no IO, no clock, no environment.

pub mod address;
pub mod challenge;
pub mod config;
pub mod connect;
pub mod credential;
pub mod dbus;
pub mod fault;
pub mod gitproto;
pub mod forge;
#[cfg(feature = "full")]
pub mod goauth;
pub mod goenv;
pub mod goproxy;
pub mod guard;
pub mod http1;
pub mod noproxy;
pub mod netrc;
pub mod origin;
pub mod pattern;
pub mod probe;
pub mod refusal;
pub mod secret;
pub mod setup;
pub mod target;
pub mod text;
pub mod upstream;
