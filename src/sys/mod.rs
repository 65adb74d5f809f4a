//! Layer 1: one thin file an effect. Nothing here decides anything.

pub mod clock;
pub mod env;
pub mod files;
#[cfg(feature = "full")]
pub mod git;
pub mod goenv;
#[cfg(feature = "full")]
pub mod gss;
pub mod harden;
#[cfg(feature = "kerberos-password")]
pub mod kerberos_password;
pub mod limits;
pub mod paths;
pub mod peer;
pub mod run;
pub mod tty;
