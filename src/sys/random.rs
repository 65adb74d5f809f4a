//! The system's randomness.
