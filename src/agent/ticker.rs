//! Tells those who wait that their answer is worked on.
