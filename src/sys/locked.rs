//! A key in a page that never leaves memory.
