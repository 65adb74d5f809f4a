//! A file that is replaced as a whole, whatever happens meanwhile.
