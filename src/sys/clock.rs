//! The time, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::credential::UnixTime;

/// Returns the seconds since 1970-01-01 UTC; 0 for a clock that is set before that.
#[expect(clippy::disallowed_methods, reason = "this is the replacement")]
pub fn now() -> UnixTime {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
