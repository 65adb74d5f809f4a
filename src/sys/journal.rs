//! Appends a line to the audit file, one process at a time.
