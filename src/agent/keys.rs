//! The keys of the stores while they are unlocked.
