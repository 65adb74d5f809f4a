//! Layer 4: sockets, TLS and HTTP. Asynchronous inside.

pub mod probe;
pub mod tls;
