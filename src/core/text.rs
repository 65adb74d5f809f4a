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

/// Returns whether a character is invisible or reorders its neighbours (UAX #9, UTR #36).
fn is_misleading(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        assert_eq!(printable("a\u{1b}[31m\r\nb\u{9b}"), "a\\u{1b}[31m\\u{d}\\u{a}b\\u{9b}");
        assert_eq!(printable("gro\u{202e}c.tig"), "gro\\u{202e}c.tig");
        assert_eq!(printable("密码 é"), "密码 é");
    }
}
