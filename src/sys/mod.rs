//! Layer 1: one thin file an effect. Nothing here decides anything.

pub mod clock;
pub mod env;
pub mod files;
pub mod goenv;
pub mod harden;
pub mod paths;
pub mod run;
pub mod tty;
