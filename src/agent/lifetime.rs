//! How long what is unlocked stays so.
