//! A phrase with names in it, and the same in other words: `'{1}' 未找到` is `repository '{1}' not found`. The names
//! from `{5}` on have no blank in them.
//!
//! It deliberately is no regular expression: a name is as long as a URL at most, so that each search has a bound.

/// How many bytes a name may have.
const NAME: usize = 300;

/// What is printed elsewhere, and what is printed here.
#[derive(Debug)]
pub(super) struct Phrase {
    /// What stands between the names: one more than there are names.
    words: Vec<&'static str>,
    /// The digits of the names, in order.
    names: Vec<char>,
    /// The longest of the words: it is looked for first.
    anchor: usize,
    to: &'static str,
}

impl Phrase {
    /// Reads both.
    pub(super) fn of(from: &'static str, to: &'static str) -> Self {
        let (mut words, mut names, mut rest) = (Vec::new(), Vec::new(), from);
        while let Some((word, digit, after)) = name(rest) {
            words.push(word);
            names.push(digit);
            rest = after;
        }
        words.push(rest);
        let longest = words.iter().enumerate().max_by_key(|(_, word)| word.len());
        let anchor = longest.map_or(0, |(at, _)| at);
        Self { words, names, anchor, to }
    }

    /// Puts the one in place of the other.
    pub(super) fn apply(&self, text: String) -> String {
        let Some(anchor) = self.words.get(self.anchor).filter(|word| text.contains(**word)) else {
            return text;
        };
        if self.names.is_empty() {
            return text.replace(anchor, self.to);
        }
        let (mut plain, mut done) = (String::with_capacity(text.len()), 0);
        for (at, _) in text.match_indices(anchor) {
            let Some((start, end, names)) = self.around(&text, at).filter(|it| it.0 >= done) else {
                continue;
            };
            plain.push_str(text.get(done..start).unwrap_or_default());
            let mut to = self.to;
            while let Some((word, digit, after)) = name(to) {
                plain.push_str(word);
                let own = self.names.iter().position(|it| *it == digit);
                plain.push_str(own.and_then(|own| names.get(own)).copied().unwrap_or_default());
                to = after;
            }
            plain.push_str(to);
            done = end;
        }
        plain.push_str(text.get(done..).unwrap_or_default());
        plain
    }

    /// Returns where a phrase begins and ends whose anchor is there, and its names.
    fn around<'a>(&self, text: &'a str, at: usize) -> Option<(usize, usize, Vec<&'a str>)> {
        let (mut names, mut start) = (Vec::with_capacity(self.names.len()), at);
        for word in self.words.get(..self.anchor)?.iter().rev() {
            let before = text.get(floor(text, start.saturating_sub(NAME))..start)?;
            let from = if word.is_empty() { last_word(before) } else { before.rfind(word)? };
            names.push(before.get(from + word.len()..)?);
            start -= before.len() - from;
        }
        names.reverse();
        let mut end = at + self.words.get(self.anchor)?.len();
        for word in self.words.get(self.anchor + 1..)? {
            let behind = text.get(end..floor(text, end.saturating_add(NAME)))?;
            let to = if word.is_empty() { first_word(behind) } else { behind.find(word)? };
            names.push(behind.get(..to)?);
            end += to + word.len();
        }
        let is_good = |(digit, own): (&char, &&str)| *digit < '5' || !own.contains(' ');
        self.names.iter().zip(&names).all(is_good).then_some((start, end, names))
    }
}

/// Splits at the first name: what is before it, its digit, what is behind it.
fn name(text: &str) -> Option<(&str, char, &str)> {
    let (before, rest) = text.split_once('{')?;
    let mut letters = rest.chars();
    let digit = letters.next().filter(char::is_ascii_digit)?;
    letters.as_str().strip_prefix('}').map(|after| (before, digit, after))
}

/// Returns where the last word of a text begins.
fn last_word(text: &str) -> usize {
    text.rfind(is_end).map_or(0, |at| at + text.get(at..).map_or(1, first_letter))
}

/// Returns where the first word of a text ends.
fn first_word(text: &str) -> usize {
    text.find(is_end).unwrap_or(text.len())
}

fn is_end(letter: char) -> bool {
    letter.is_whitespace() || ",;'\")".contains(letter)
}

fn first_letter(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

/// Returns the next place before this one at which a letter begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Phrase;

    #[test]
    fn names_stay_and_the_words_around_them_change() {
        for (from, to, text, expected) in [
            ("zugreifen", "access", "nicht zugreifen: zugreifen", "nicht access: access"),
            (
                "auf '{1}' zugreifen: ",
                "access '{1}': ",
                "konnte nicht auf 'https://h/密' zugreifen: x, auf 'b' zugreifen: y",
                "konnte nicht access 'https://h/密': x, access 'b': y",
            ),
            (
                "'{1}' 未找到",
                "repository '{1}' not found",
                "库 '密' 未找到。",
                "库 repository '密' not found。",
            ),
            ("x {2} y {1} z", "{1}-{2}", "x a y b z", "b-a"),
            (
                "refused {1}",
                "dial {1}: refused",
                "was refused h:1, at",
                "was dial h:1: refused, at",
            ),
            ("{1} refused", "dial {1}: refused", "at h:1 refused", "at dial h:1: refused"),
            ("auf '{1}' zugreifen", "access '{1}'", "zugreifen auf 'x", "zugreifen auf 'x"),
            ("to {5}:{6} now", "{6} {5}", "to h:1 now, to h: 1 now", "1 h, to h: 1 now"),
            ("{odd} x", "y", "{odd} x", "y"),
        ] {
            assert_eq!(Phrase::of(from, to).apply(text.to_owned()), expected, "{from}");
        }
        let far = format!("auf '{}' zugreifen", "密".repeat(200));
        assert_eq!(Phrase::of("auf '{1}' zugreifen", "x").apply(far.clone()), far);
    }
}
