//! Files that the kernel makes while they are read. Each read walks a table from its beginning, so they are
//! taken in few large pieces.

use std::{fs::File, io::Read};

/// What one read takes, in bytes.
const PIECE: usize = 64 * 1024;

/// Reads a file below `/proc`. `None`: the system has none, or keeps it to itself.
pub(super) fn read(path: &str) -> Option<String> {
    let mut text = String::with_capacity(PIECE);
    File::open(path).and_then(|mut file| file.read_to_string(&mut text)).ok()?;
    Some(text)
}
