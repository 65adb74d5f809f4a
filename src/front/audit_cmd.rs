//! `gocred audit`: what was released.
