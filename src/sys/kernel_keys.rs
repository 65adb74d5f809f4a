//! The kernel's keyring.
