//! Credentials of a CI job.
