//! Answers in memory, sealed under a key in a locked page.
