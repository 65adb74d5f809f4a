//! `KeePassXC`'s Secret Service, with and without confirmation.
