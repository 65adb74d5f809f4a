//! Credentials from a live `OpenBao`.
