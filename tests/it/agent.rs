//! The agent: one answer for every program, lifetimes, lock and unlock.
