//! Which store is chosen, shown and never changed silently.
