//! What is written down of a release, and the chain of it.
