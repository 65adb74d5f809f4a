//! `gocred exec` gives one process tree its credentials and leaves nothing behind.
