//! A record that was changed is found.
