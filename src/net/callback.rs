//! The loopback listener that a browser comes back to (RFC 8252).
