//! The git credential helper. To be written.
