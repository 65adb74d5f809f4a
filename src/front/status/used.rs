//! When each account was last released, as the audit says. Nothing is written for it, and where there
//! is no audit nobody knows.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    core::credential::{Key, UnixTime},
    front::Context,
    sys::files,
};

/// The largest audit file that is read, in bytes; it is rotated before that.
const MAX_AUDIT: u64 = 64 * 1024 * 1024;

/// What a line of the audit says of a release; the rest is passed over.
#[derive(Deserialize)]
struct Line {
    at: String,
    event: String,
    target: Target,
    account: Account,
}

#[derive(Deserialize)]
struct Target {
    protocol: String,
    host: String,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Account {
    user: String,
}

/// When accounts were last released.
#[derive(Debug, Default)]
pub(super) struct Used(BTreeMap<(String, String), UnixTime>);

impl Used {
    /// Reads the current file of the audit.
    pub(super) fn read(context: &Context) -> Self {
        let file = context.config.audit.file.as_ref().unwrap_or(&context.paths.audit);
        let bytes = files::read(file, MAX_AUDIT).ok().flatten().unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    fn parse(text: &str) -> Self {
        let mut used = Self::default();
        // Later lines are later.
        for line in text.lines().filter(|line| line.contains("\"credential.released\"")) {
            let Ok(Line { at, event, target, account }) = serde_json::from_str(line) else {
                continue;
            };
            let Some(at) = seconds(&at).filter(|_| event == "credential.released") else {
                continue;
            };
            let Target { protocol, host, port } = target;
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            used.0.insert((format!("{protocol}://{host}{port}"), account.user), at);
        }
        used
    }

    /// Returns when an account was last released.
    pub(super) fn last(&self, key: &Key) -> Option<UnixTime> {
        self.0.get(&(key.origin.to_string(), key.user.clone())).copied()
    }
}

/// Reads a time as the audit writes it, `2026-11-25T22:10:03.123Z`.
fn seconds(at: &str) -> Option<UnixTime> {
    let number = |from: usize, to: usize| at.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Counted from a March, the leap day is a year's last (`core::time`).
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leaps = (year / 4 + year / 400).checked_sub(year / 100)?;
    let days = 365 * year + leaps + (153 * month + 2) / 5 + day.checked_sub(1)?;
    Some(days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::{Used, seconds};
    use crate::core::{
        credential::{Key, Kind},
        origin::Origin,
        time::rfc3339,
    };

    #[test]
    fn the_last_release_of_an_account_counts() {
        let line = |at: &str, event: &str, user: &str, port: &str| {
            format!(
                "{{\"v\":1,\"at\":\"{at}\",\"event\":\"{event}\",\"outcome\":\"ok\",\"target\":{{\
                 \"protocol\":\"https\",\"host\":\"h\",\"port\":{port},\"path\":null}},\"account\":\
                 {{\"user\":\"{user}\",\"mac\":\"0\"}}}}"
            )
        };
        let released = "credential.released";
        let text = [
            line("2026-11-25T22:10:03.123Z", released, "ana", "null"),
            "{\"torn\":\"credential.released\"".to_owned(),
            line("2026-11-25T22:11:03.000Z", released, "ana", "null"),
            line("2026-11-25T22:12:03.000Z", released, "ana", "8443"),
            line("2026-11-25T22:13:03.000Z", "caller.refused", "ana", "null"),
        ];
        let used = Used::parse(&text.join("\n"));
        let last = |host: &str, user: &str| {
            let origin = Origin::new("https", host).unwrap();
            used.last(&Key { kind: Kind::Git, origin, path: None, user: user.to_owned() })
        };
        assert_eq!(last("h", "ana"), Some(1_795_644_663));
        assert_eq!(last("h:8443", "ana"), Some(1_795_644_723));
        assert_eq!((last("h", "bob"), last("x", "ana")), (None, None));
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for at in [0, 951_782_400, 951_868_800, 1_795_635_450, 4_107_542_399, 4_107_542_400] {
            assert_eq!(seconds(&rfc3339(at * 1000)), Some(at));
        }
        for wrong in ["", "x", "2026-11-25", "0000-00-00T00:00:00Z", "2026-1\u{e9}-25T00:00:00Z"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
