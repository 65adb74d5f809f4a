//! Standard output and standard error, in one place. What comes from outside goes through
//! [`printable`](crate::core::text::printable) before it gets here.

use std::io::{self, Write};

/// Writes a line to standard output. A reader that went away is not an error.
pub fn out(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line to standard error.
pub fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
