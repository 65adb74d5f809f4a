//! Credentials that are fetched where they are needed: a secret manager, a CI job, a command.
//!
//! Each gives a `broker::Lease`, and stores nothing.

mod ci;
mod env;
mod exec;
mod github_app;
mod helper;
mod lease;
mod openbao;
