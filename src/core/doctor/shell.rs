//! Words of the commands that people are to paste.

/// Quotes a word for a shell, where it has to be. What a server named may be in it: a path of a redirect, of a
/// go-import tag, of a certificate.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_one_word() {
        for (word, written) in [
            ("https://h.test/x", "https://h.test/x"),
            ("https://h.test/x?y=1&z", "'https://h.test/x?y=1&z'"),
            ("https://h.test/$(id)", "'https://h.test/$(id)'"),
            ("https://h.test/';id;'", r"'https://h.test/'\'';id;'\'''"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }
}
