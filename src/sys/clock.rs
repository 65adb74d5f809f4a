//! The time, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::credential::UnixTime;

/// Returns the seconds since 1970-01-01 UTC; 0 for a clock that is set before that.
#[expect(clippy::disallowed_methods, reason = "this is the replacement")]
pub fn now() -> UnixTime {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns the same in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the replacement")]
pub fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
