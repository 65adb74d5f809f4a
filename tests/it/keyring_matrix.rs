//! Every state of a keyring, and how each command ends there.
