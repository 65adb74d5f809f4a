//! Which word was meant.

/// Returns how many letters have to be put in, taken out or changed to make one word of the other.
pub(super) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut before = index + 1;
        next.push(before);
        for ((b, diagonal), above) in right.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(a != *b);
            before = changed.min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Returns the nearest of some words, if it is at most so far.
pub(super) fn nearest<'a>(
    word: &str,
    among: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> Option<&'a str> {
    let near = among.into_iter().map(|own| (distance(word, own), own));
    near.filter(|(far, _)| *far <= most).min_by_key(|(far, _)| *far).map(|(_, own)| own)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn words_are_compared_letter_by_letter() {
        for (left, right, far) in
            [("", "", 0), ("dirct", "direct", 1), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), far);
        }
        assert_eq!(nearest("of", ["direct", "off"], 2), Some("off"));
        assert_eq!(nearest("nothing", ["direct", "off"], 2), None);
    }
}
