//! The diagnosis of a fetch that fails: what is read of the machine, which probes follow from it, what
//! they saw, and which finding explains it. Everything here computes; `sys::doctor` reads, `net::doctor`
//! asks the network, `front::doctor` speaks.
//!
//! The way of a diagnosis: [`machine::Machine`] + [`target::Target`] → [`checks::all`] (no packet) →
//! [`plan::next`] until it asks for nothing more, each [`probe::Probe`] answered by a [`probe::Seen`] →
//! [`judge::all`] → [`rank::rank`] → [`finding::Report`].

pub mod answer;
pub mod catalogue;
pub mod certificate;
mod change;
pub mod checks;
pub mod dns;
pub mod explain;
pub mod finding;
pub mod gitfile;
pub mod gitstore;
pub mod gomod;
pub mod gosettings;
pub mod gosource;
pub mod hello;
pub mod judge;
pub mod leg;
pub mod machine;
pub mod mend;
pub mod place;
pub mod plan;
pub mod private;
pub mod probe;
pub mod rank;
pub mod refs;
pub mod route;
pub mod shelf;
pub(crate) mod shell;
pub(crate) mod ssh;
pub mod ssh_files;
pub mod target;
mod tls_limits;
pub mod verdict;
pub mod watch;
pub mod ways;
