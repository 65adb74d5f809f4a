//! Proxy auto-configuration, as far as it needs nobody: what a script is asked, what its answer
//! means, and the functions that it may call.
//!
//! The functions are written from their documentation: Netscape's "Proxy Auto-Config File Format"
//! (1996) as MDN keeps it, and Microsoft's "IPv6 extensions" (2006). Where the two leave a choice,
//! the browsers' answer is taken, since that is what scripts were tried with.

pub mod answer;
pub mod calendar;
pub mod desktop;
pub mod file;
pub mod glob;
pub mod hosts;
pub mod nets;
pub mod question;
pub mod source_line;
pub mod wpad;
