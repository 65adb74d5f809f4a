//! Layer 1: one thin file an effect. Nothing here decides anything.

pub mod clock;
pub mod control;
#[cfg(feature = "full")]
pub mod desktop;
pub mod env;
pub mod files;
#[cfg(feature = "full")]
pub mod git;
pub mod goenv;
#[cfg(feature = "full")]
pub mod gss;
pub mod harden;
#[cfg(feature = "full")]
pub mod inherit;
#[cfg(feature = "kerberos-password")]
pub mod kerberos_password;
pub mod limits;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod netview;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod netwatch;
#[cfg(feature = "full")]
pub mod notify;
pub mod paths;
pub mod peer;
#[cfg(feature = "full")]
pub mod pipe;
pub mod run;
pub mod tty;
