//! Installation tokens of a GitHub App.
