//! Credentials that are fetched where they are needed: a secret manager, a CI job, a command.
//!
//! Each gives a `broker::Lease`, and stores nothing.
