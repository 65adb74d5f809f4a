//! A command that prints a credential.
