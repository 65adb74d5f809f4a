//! The agent: one daemon that holds keys and answers, for every program of the user. Threads, no tokio.
//!
//! It is transport, keys and cache. What is answered comes from `front`, which it may not name.

mod cache;
mod cached;
mod keys;
mod lifetime;
mod serve;
mod ticker;
