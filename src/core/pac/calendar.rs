//! `weekdayRange`, `dateRange` and `timeRange`: whether a moment is within bounds, both included.
//!
//! A range whose end lies before its start goes around: `weekdayRange("FRI", "MON")`,
//! `timeRange(22, 6)`, `dateRange("NOV", "FEB")`; what has a year does not.

/// A moment, in the zone that is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The year.
    pub year: i32,
    /// The month, from 0.
    pub month: i32,
    /// The day of the month, from 1.
    pub day: i32,
    /// The day of the week; 0 is Sunday.
    pub weekday: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 60.
    pub second: i32,
}

/// A moment in both zones that a script may mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// In the zone of the machine.
    pub local: Moment,
    /// In UTC, which scripts call GMT.
    pub utc: Moment,
}

/// One argument of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A number.
    Number(i32),
    /// A word.
    Word(String),
}

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// `weekdayRange(day)`, `weekdayRange(day, day)`, each with `"GMT"` behind it. Arguments that are
/// none match never.
pub fn is_weekday(bounds: &[Bound], now: &Now) -> bool {
    let (bounds, moment) = zone(bounds, now);
    let day = |bound: &Bound| match bound {
        Bound::Word(word) => index(&WEEKDAYS, word),
        Bound::Number(_) => None,
    };
    match bounds {
        [one] => day(one) == Some(moment.weekday),
        [from, to] => match (day(from), day(to)) {
            (Some(from), Some(to)) => around(&from, &moment.weekday, &to),
            (_, _) => false,
        },
        _ => false,
    }
}

/// `dateRange` with one, two, four or six of day, month and year in this order, `"GMT"` behind them.
pub fn is_date(bounds: &[Bound], now: &Now) -> bool {
    let (bounds, moment) = zone(bounds, now);
    let parts: Option<Vec<Part>> = bounds.iter().map(Part::of).collect();
    let Some(parts) = parts else { return false };
    match parts.as_slice() {
        [Day(day)] => *day == moment.day,
        [Month(month)] => *month == moment.month,
        [Year(year)] => *year == moment.year,
        [Day(from), Day(to)] => around(from, &moment.day, to),
        [Month(from), Month(to)] => around(from, &moment.month, to),
        [Year(from), Year(to)] => (from..=to).contains(&&moment.year),
        [Day(day), Month(month), Day(to_day), Month(to_month)] => {
            around(&(*month, *day), &(moment.month, moment.day), &(*to_month, *to_day))
        }
        [Month(month), Year(year), Month(to_month), Year(to_year)] => {
            ((*year, *month)..=(*to_year, *to_month)).contains(&(moment.year, moment.month))
        }
        [Day(day), Month(month), Year(year), Day(to_day), Month(to_month), Year(to_year)] => {
            let from = (*year, *month, *day);
            (from..=(*to_year, *to_month, *to_day)).contains(&(
                moment.year,
                moment.month,
                moment.day,
            ))
        }
        _ => false,
    }
}

/// `timeRange(hour)`, `(hour, hour)`, `(hour, minute, hour, minute)`, or with seconds, `"GMT"` behind
/// them. Two hours include all of the second one, as in the browsers; so do two minutes.
pub fn is_time(bounds: &[Bound], now: &Now) -> bool {
    let (bounds, moment) = zone(bounds, now);
    let numbers: Option<Vec<i32>> = bounds
        .iter()
        .map(|bound| match bound {
            Bound::Number(number) => Some(*number),
            Bound::Word(word) => word.trim().parse().ok(),
        })
        .collect();
    let Moment { hour, minute, second, .. } = *moment;
    match numbers.as_deref() {
        Some([one]) => *one == hour,
        Some([from, to]) => around(from, &hour, to),
        Some([from, from_minute, to, to_minute]) => {
            around(&(*from, *from_minute), &(hour, minute), &(*to, *to_minute))
        }
        Some([from, from_minute, from_second, to, to_minute, to_second]) => around(
            &(*from, *from_minute, *from_second),
            &(hour, minute, second),
            &(*to, *to_minute, *to_second),
        ),
        Some(_) | None => false,
    }
}

use Part::{Day, Month, Year};

/// A part of a date.
#[derive(Clone, Copy, Debug)]
enum Part {
    Day(i32),
    Month(i32),
    Year(i32),
}

impl Part {
    fn of(bound: &Bound) -> Option<Self> {
        let number = match bound {
            Bound::Number(number) => *number,
            Bound::Word(word) => match index(&MONTHS, word) {
                Some(month) => return Some(Self::Month(month)),
                None => word.trim().parse().ok()?,
            },
        };
        match number {
            1..=31 => Some(Self::Day(number)),
            32.. => Some(Self::Year(number)),
            _ => None,
        }
    }
}

/// Takes a `"GMT"` from the end, and returns the moment that is meant.
fn zone<'a>(bounds: &'a [Bound], now: &'a Now) -> (&'a [Bound], &'a Moment) {
    match bounds.split_last() {
        Some((Bound::Word(word), rest)) if word == "GMT" => (rest, &now.utc),
        _ => (bounds, &now.local),
    }
}

fn index(names: &[&str], word: &str) -> Option<i32> {
    names.iter().position(|name| *name == word).and_then(|at| i32::try_from(at).ok())
}

fn around<T: Ord>(from: &T, now: &T, to: &T) -> bool {
    if from <= to { from <= now && now <= to } else { from <= now || now <= to }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Moment, Now, is_date, is_time, is_weekday};

    /// Wednesday 25 November 2026, 19:30:15 here, and Thursday 02:30:15 in UTC.
    const NOW: Now = Now {
        local: Moment {
            year: 2026,
            month: 10,
            day: 25,
            weekday: 3,
            hour: 19,
            minute: 30,
            second: 15,
        },
        utc: Moment { year: 2026, month: 10, day: 26, weekday: 4, hour: 2, minute: 30, second: 15 },
    };

    fn bounds(text: &str) -> Vec<Bound> {
        let bound = |word: &str| match word.parse() {
            Ok(number) => Bound::Number(number),
            Err(_) => Bound::Word(word.to_owned()),
        };
        text.split_whitespace().map(bound).collect()
    }

    #[test]
    fn weekdays_include_both_ends_and_go_around() {
        for (text, answer) in [
            ("WED", true),
            ("THU", false),
            ("THU GMT", true),
            ("MON FRI", true),
            ("MON WED", true),
            ("WED FRI", true),
            ("FRI MON", false),
            ("FRI WED", true),
            ("MON WED GMT", false),
            ("MONDAY", false),
            ("MON X", false),
            ("3", false),
            ("", false),
            ("GMT", false),
        ] {
            assert_eq!(is_weekday(&bounds(text), &NOW), answer, "{text}");
        }
    }

    #[test]
    fn dates_are_days_months_years_or_their_combinations() {
        for (text, answer) in [
            ("25", true),
            ("26", false),
            ("26 GMT", true),
            ("NOV", true),
            ("2026", true),
            ("1 25", true),
            ("26 24", false),
            ("20 5", true),
            ("OCT DEC", true),
            ("NOV FEB", true),
            ("DEC FEB", false),
            ("2025 2026", true),
            ("2027 2025", false),
            ("1 NOV 25 NOV", true),
            ("26 NOV 1 FEB", false),
            ("25 NOV 1 FEB", true),
            ("OCT 2026 NOV 2026", true),
            ("DEC 2026 NOV 2027", false),
            ("25 NOV 2026 25 NOV 2026", true),
            ("26 NOV 2026 1 JAN 2027", false),
            ("26 NOV 2026 1 JAN 2027 GMT", true),
            ("NOV 25", false),
            ("0", false),
            ("25 NOV", false),
            ("", false),
        ] {
            assert_eq!(is_date(&bounds(text), &NOW), answer, "{text}");
        }
    }

    #[test]
    fn times_include_their_last_hour_minute_and_second() {
        for (text, answer) in [
            ("19", true),
            ("2 GMT", true),
            ("9 19", true),
            ("9 18", false),
            ("22 6", false),
            ("22 6 GMT", true),
            ("18 0 19 30", true),
            ("18 0 19 29", false),
            ("19 30 15 19 30 15", true),
            ("19 30 16 19 40 0", false),
            ("23 0 0 19 30 15", true),
            ("1 2 3", false),
            ("x", false),
        ] {
            assert_eq!(is_time(&bounds(text), &NOW), answer, "{text}");
        }
    }
}
