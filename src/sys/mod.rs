//! Layer 1: one thin file an effect. Nothing here decides anything.

pub mod clock;
pub mod env;
pub mod files;
#[cfg(feature = "full")]
pub mod git;
pub mod goenv;
pub mod harden;
pub mod limits;
pub mod paths;
pub mod peer;
#[cfg(feature = "full")]
pub mod pipe;
pub mod run;
pub mod tty;
