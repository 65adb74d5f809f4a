//! Asks the SSH agent for a signature.
