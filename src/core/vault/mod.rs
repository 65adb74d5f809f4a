//! The encrypted file: its form and its seals, without files and without randomness.
