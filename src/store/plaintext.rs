//! A file as it is, for those who ask for it by name.
