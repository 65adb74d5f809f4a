//! Layer 1: one thin file an effect. Nothing here decides anything.

pub mod clock;
#[cfg(feature = "full")]
pub mod desktop;
pub mod env;
pub mod files;
#[cfg(feature = "full")]
pub mod git;
pub mod goenv;
pub mod harden;
pub mod limits;
pub mod paths;
pub mod peer;
pub mod run;
pub mod tty;
