//! `gocred switch`: another account for a host.
