//! The encrypted file as a store.
