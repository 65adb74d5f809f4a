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
    let fraction = text.get(20..23).and_then(|text| number(text, 3))?;
    let millis = timestamp(text)?.checked_mul(1000)? + fraction;
    (rfc3339(millis) == text).then_some(millis)
}

/// Returns the day since 1970-01-01 of a date, or nothing before it: [`date`], the other way round.
fn day(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year) = (year / 400, year % 400);
    let days = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day.checked_sub(1)?;
    (era * 146_097 + days).checked_sub(719_468)
}

/// Reads the date of an HTTP field, `Sun, 06 Nov 1994 08:49:37 GMT`, as seconds since 1970. Of the
/// three forms of RFC 9110 §5.6.7 this is the one that a sender must write.
pub fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (monthday, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    (zone == "GMT" && words.next().is_none())
        .then(|| moment(number(year, 4)?, month, number(monthday, 2)?, time))
        .flatten()
}

/// Reads a moment of a forge's API as seconds since 1970: RFC 3339 in UTC, the same with a blank and
/// `UTC`, or a date, which ends with its last second.
pub fn timestamp(text: &str) -> Option<u64> {
    let (date, time) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, monthday) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, monthday) = (number(year, 4)?, number(month, 2)?, number(monthday, 2)?);
    if parts.next().is_some() {
        return None;
    }
    if time.is_empty() {
        return moment(year, month, monthday, "23:59:59");
    }
    let time = time.strip_prefix(['T', 't', ' '])?;
    let end =
        ["Z", "z", " UTC", "+00:00", " +0000"].iter().find_map(|end| time.strip_suffix(end))?;
    let (time, fraction) = end.split_once('.').unwrap_or((end, "0"));
    fraction
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| moment(year, month, monthday, time))?
}

fn moment(year: u64, month: u64, monthday: u64, time: &str) -> Option<u64> {
    let mut parts = time.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let is_one = (1..=12).contains(&month) && (1..=31).contains(&monthday);
    let is_one = is_one && hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    is_one
        .then(|| day(year, month, monthday))
        .flatten()
        .map(|day| day * (DAY / 1000) + hour * 3600 + minute * 60 + second)
}

fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DAY, date, http_date, rfc3339, timestamp};

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

    #[test]
    fn the_date_of_a_field_and_of_an_api_is_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for (text, expected) in [
            ("2026-11-25T19:37:30Z", Some(1_795_635_450)),
            ("2026-11-25T19:37:30.123Z", Some(1_795_635_450)),
            ("2026-11-25 19:37:30 UTC", Some(1_795_635_450)),
            ("2000-02-29", Some(951_868_799)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-13-01", None),
            ("2026-11-25T19:37:30+01:00", None),
            ("2026-11-25T19:37Z", None),
            ("ünicöde-text-of-some-length", None),
            ("", None),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
        for text in ["", "Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_next_day_is_the_next_date(day in 0u64..3_000_000) {
            let (before, after) = (date(day), date(day + 1));
            prop_assert!(before < after);
            prop_assert_eq!(super::day(before.0, before.1, before.2), Some(day));
            prop_assert!(after.2 == 1 || after == (before.0, before.1, before.2 + 1));
            let millis = day * DAY + day;
            prop_assert!(super::millis(&rfc3339(millis)) == Some(millis) || day > 2_932_896);
            prop_assert!(rfc3339(day * DAY) < rfc3339((day + 1) * DAY) || day > 2_932_896);
        }
    }
}
