//! Layer 4, towards the network: names and addresses, connections, and the handshake with a proxy.

pub mod dial;
pub mod tunnel;
pub mod wire;
