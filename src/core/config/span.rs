//! A span of time as a text: `90s`, `5m`, `12h`, `3d`, `0`.

use std::time::Duration;

/// Parses it; the error is what it must be.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    seconds(text).map(Duration::from_secs).ok_or_else(|| {
        "must be a span of time, such as \"90s\", \"5m\", \"12h\", \"3d\" or \"0\"".to_owned()
    })
}

fn seconds(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_span_is_a_number_and_its_unit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("12h", Some(43_200)),
            ("3d", Some(259_200)),
            ("", None),
            ("s", None),
            ("5", None),
            ("+5m", None),
            ("1.5h", None),
            ("5 m", None),
            ("5\u{e9}", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
