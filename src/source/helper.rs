//! Another git credential helper.
