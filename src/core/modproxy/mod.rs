//! The module proxy protocol (<https://go.dev/ref/mod#goproxy-protocol>), as a front of other proxies
//! needs it: what is asked, of whom, and what an answer means.

pub mod explain;
pub mod judge;
pub mod list;
pub mod pace;
pub mod redirect;
pub mod request;
pub mod retry;
pub mod walk;
