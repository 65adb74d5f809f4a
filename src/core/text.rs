//! Text from servers, files and URLs, made safe for a terminal (CVE-2024-50349, CVE-2024-52005).

/// Returns the text with everything escaped that a terminal acts on or that changes what a person
/// sees: C0, DEL, C1, line and paragraph separators, and bidirectional controls.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_misleading(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns the start of a text that has at most so many bytes.
pub fn start(text: &str, most: usize) -> &str {
    let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= most;
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
    text.get(..end).unwrap_or_default()
}

/// Returns whether a character is invisible or reorders its neighbours (UAX #9, UTR #36).
fn is_misleading(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::{printable, start};

    #[test]
    fn a_start_ends_between_characters() {
        for (most, shown) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (4, "aéb"), (9, "aéb")] {
            assert_eq!(start("aéb", most), shown);
        }
    }

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        assert_eq!(printable("a\u{1b}[31m\r\nb\u{9b}"), "a\\u{1b}[31m\\u{d}\\u{a}b\\u{9b}");
        assert_eq!(printable("gro\u{202e}c.tig"), "gro\\u{202e}c.tig");
        assert_eq!(printable("密码 é"), "密码 é");
    }
}
