//! `gocred exec`: one process tree with credentials of its own.
