//! `gocred store`: the keys of the encrypted file.
