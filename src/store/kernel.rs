//! The kernel's keyring as a store.
