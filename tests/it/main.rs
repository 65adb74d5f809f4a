//! Integration tests: a sentence each, against real programs.

mod support;
