//! The git credential helper.

fn main() {}
