//! The time, read in one place.

#[cfg(unix)]
use std::time::Duration;
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

/// Returns how long the system has been running. Nobody sets this clock, and it runs on while the
/// machine sleeps.
#[cfg(target_os = "linux")]
pub fn running() -> Duration {
    since(rustix::time::ClockId::Boottime)
}

/// Returns how long the system has been running. Nobody sets this clock.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn running() -> Duration {
    since(rustix::time::ClockId::Monotonic)
}

#[cfg(unix)]
fn since(clock: rustix::time::ClockId) -> Duration {
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}
