//! A keyring that is unlocked, or created, from a terminal.
