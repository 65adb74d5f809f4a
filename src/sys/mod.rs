//! Layer 1: one thin file an effect. Nothing here decides anything.

pub mod clock;
pub mod control;
#[cfg(feature = "full")]
pub mod desktop;
#[cfg(feature = "full")]
pub mod detached;
#[cfg(feature = "full")]
pub mod doctor;
#[cfg(feature = "full")]
pub mod durable;
pub mod env;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod family;
pub mod files;
#[cfg(feature = "full")]
pub mod git;
pub mod goenv;
#[cfg(feature = "full")]
pub mod gss;
pub mod handover;
pub mod harden;
#[cfg(feature = "full")]
pub mod inherit;
pub mod journal;
#[cfg(feature = "full")]
pub mod keep;
#[cfg(feature = "kerberos-password")]
pub mod kerberos_password;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod kernel_keys;
pub mod limits;
#[cfg(all(unix, feature = "full"))]
pub mod locked;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod memory_file;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod netview;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod netwatch;
#[cfg(feature = "full")]
pub mod notify;
#[cfg(feature = "full")]
pub mod owner;
pub mod paths;
pub mod peer;
#[cfg(feature = "full")]
pub mod pipe;
pub mod process;
pub mod random;
pub mod run;
#[cfg(all(unix, feature = "full"))]
pub mod screen;
#[cfg(all(unix, feature = "full"))]
pub mod sealed;
#[cfg(all(not(unix), feature = "full"))]
#[path = "sealed_none.rs"]
pub mod sealed;
#[cfg(feature = "full")]
pub mod secret_file;
#[cfg(all(unix, feature = "full"))]
pub mod ssh_agent;
#[cfg(feature = "full")]
pub mod stderr;
#[cfg(feature = "full")]
pub mod tpm;
pub mod tty;
#[cfg(all(unix, feature = "full"))]
pub mod unix_socket;
