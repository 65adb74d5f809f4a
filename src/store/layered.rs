//! The chosen store, what is too large for it, and what others hold.
