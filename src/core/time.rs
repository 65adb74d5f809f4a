//! Times as text.

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// Returns a time in milliseconds since 1970 as RFC 3339 has it, in UTC.
pub fn rfc3339(millis: u64) -> String {
    let (year, month, day) = date(millis / DAY);
    let rest = millis % DAY;
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Returns the date of a day since 1970-01-01. Counted from a March, the leap day is a year's last,
/// and 400 years always have the same number of days.
fn date(days: u64) -> (u64, u64, u64) {
    // 1970-01-01 is 719,468 days after 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March, five months have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (era * 400 + year + u64::from(is_next_year), month, day)
}

/// Returns what [`rfc3339`] returned it for. `None`: the text is none of that.
pub fn millis(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<u64> {
        text.get(from..to).filter(|text| text.bytes().all(|it| it.is_ascii_digit()))?.parse().ok()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // As in `date`, the year before begins in March.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    // 1970-01-01 is 719,468 days after 0000-03-01.
    let millis = days.checked_sub(719_469)? * DAY + seconds * 1000 + number(20, 23)?;
    (rfc3339(millis) == text).then_some(millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DAY, date, rfc3339};

    #[test]
    fn times_are_what_date_prints() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_795_635_450_123, "2026-11-25T19:37:30.123Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(millis), expected);
            assert_eq!(super::millis(expected), Some(millis));
        }
    }

    #[test]
    fn another_text_is_no_time() {
        for text in ["", "2026-11-25", "2026-02-30T00:00:00.000Z", "2026-11-25T19:37:30.123+", "é"]
        {
            assert_eq!(super::millis(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_next_day_is_the_next_date(day in 0u64..3_000_000) {
            let (before, after) = (date(day), date(day + 1));
            prop_assert!(before < after);
            prop_assert!(after.2 == 1 || after == (before.0, before.1, before.2 + 1));
            let millis = day * DAY + day;
            prop_assert!(super::millis(&rfc3339(millis)) == Some(millis) || day > 2_932_896);
            prop_assert!(rfc3339(day * DAY) < rfc3339((day + 1) * DAY) || day > 2_932_896);
        }
    }
}
