//! The `gocred` command.

fn main() {}
