//! The words of other systems, in those of the patterns, which are what go, git and libcurl print on Linux in
//! English: Windows and `macOS`, other TLS libraries, old and new libcurls, gits that speak another language. They are
//! data: `dialects/programs.tsv` and `dialects/translated.tsv`.
//!
//! It deliberately translates no whole message: what stands between these words stays as it is. Of other programs that
//! meet the same network (npm, pip, wget) it knows the names of the errors only.

use std::sync::LazyLock;

use super::phrase::Phrase;

/// The translations of git, of the C library and of `GnuTLS`, then the dialects, a line each: what is printed, a tab, the
/// same in the words of the patterns.
static LINES: [&str; 2] = [
    include_str!("../../../../dialects/translated.tsv"),
    include_str!("../../../../dialects/programs.tsv"),
];

/// Returns a text in the words of the patterns.
pub(super) fn plain(text: String) -> String {
    static KNOWN: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
        let lines = LINES.iter().flat_map(|file| file.lines());
        let lines = lines.filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once('\t'));
        pairs.map(|(from, to)| Phrase::of(from, to)).collect()
    });
    KNOWN.iter().fold(text, |text, phrase| phrase.apply(text))
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::core::doctor::catalogue::ENTRIES;

    #[test]
    fn no_pattern_is_in_words_that_are_replaced() {
        for entry in ENTRIES {
            for (_, pattern) in entry.patterns() {
                assert_eq!(plain(pattern.to_owned()), pattern, "{}", entry.code);
            }
        }
    }
}
