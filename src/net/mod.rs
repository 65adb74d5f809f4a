//! Layer 4, towards the network: names, connections, TLS and HTTP. Asynchronous inside.

pub mod dial;
pub mod probe;
pub mod tls;
pub mod tunnel;
pub mod wire;
