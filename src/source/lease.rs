//! How long what was fetched is kept, and when it is fetched anew.
