//! The dance of a login, on a terminal.
