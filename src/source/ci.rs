//! The credentials of a CI job.
