//! Layer 4, towards the network: names and addresses, connections, TLS, small requests, and the
//! handshake with a proxy.

pub mod api;
pub mod callback;
pub mod change;
pub mod dial;
pub mod doctor;
pub mod handshake;
pub mod names;
pub mod oauth;
pub mod pac;
pub mod probe;
mod session;
pub mod socks;
pub mod tls;
pub mod tunnel;
pub mod wire;
