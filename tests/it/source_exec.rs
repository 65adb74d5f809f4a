//! Credentials from a command, another helper and the environment.
