//! Times for people, relative to now: coarse, because nobody plans by the second.

use crate::core::credential::UnixTime;

/// Returns how long ago something was, such as `3 days ago`.
pub(crate) fn ago(at: UnixTime, now: UnixTime) -> String {
    match now.saturating_sub(at) {
        0..60 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// Returns when something ends, such as `in 3 days`.
pub(super) fn until(at: UnixTime, now: UnixTime) -> String {
    if at <= now { ago(at, now) } else { format!("in {}", span(at - now)) }
}

fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::{ago, until};

    #[test]
    fn times_are_told_coarsely() {
        assert_eq!(ago(100, 130), "just now");
        assert_eq!(ago(0, 60), "1 minute ago");
        assert_eq!(until(100 + 7_200, 100), "in 2 hours");
        assert_eq!(until(0, 86_400 * 3), "3 days ago");
        assert_eq!(until(131, 130), "in 1 second");
    }
}
