//! GNOME's own interface, which unlocks and creates a keyring without a window.
