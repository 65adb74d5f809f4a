//! Several accounts on one host, by path.
