//! `shExpMatch`: shell patterns over the whole text.
//!
//! `*`, `?`, `[abc]`, `[a-z]`, `[^abc]`, and alternatives: `(a|b)`, or `a|b` at the top, which scripts
//! use because browsers translate the pattern to a regular expression and let these through. Every
//! other character is itself. All states are followed at once, so that no pattern takes more than
//! its length times the length of the text.

/// A pattern is no longer than this, in characters.
pub const MAX_PATTERN: usize = 1024;
/// A text is no longer than this, in characters.
pub const MAX_TEXT: usize = 8192;

/// Returns whether the pattern matches the whole text; `None` where one of them is too long.
pub fn matches(text: &str, pattern: &str) -> Option<bool> {
    let text: Vec<char> = text.chars().take(MAX_TEXT + 1).collect();
    let pattern: Vec<char> = pattern.chars().take(MAX_PATTERN + 1).collect();
    if text.len() > MAX_TEXT || pattern.len() > MAX_PATTERN {
        return None;
    }
    let steps = compile(&pattern);
    let mut now = States::new(steps.len());
    let mut next = States::new(steps.len());
    now.enter(0, &steps);
    for c in text {
        next.clear();
        for at in &now.list {
            match steps.get(*at) {
                Some(Step::Any) => next.enter(at + 1, &steps),
                Some(Step::One(wanted)) if *wanted == c => next.enter(at + 1, &steps),
                Some(Step::Set(set)) if set.has(c) => next.enter(at + 1, &steps),
                Some(Step::Star) => next.enter(*at, &steps),
                Some(Step::One(_) | Step::Set(_) | Step::Fork(_) | Step::Jump(_)) | None => {}
            }
        }
        std::mem::swap(&mut now, &mut next);
        if now.list.is_empty() {
            return Some(false);
        }
    }
    Some(now.has(steps.len()))
}

/// One step of the machine; the state behind the last step is the match.
#[derive(Debug)]
enum Step {
    /// Any one character.
    Any,
    /// Goes on here, and at another step.
    Fork(usize),
    /// Goes on at another step.
    Jump(usize),
    /// This character.
    One(char),
    /// One of these characters.
    Set(Set),
    /// Any number of characters.
    Star,
}

#[derive(Debug)]
struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Set {
    fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != self.negated
    }
}

/// The states that the machine is in.
struct States {
    list: Vec<usize>,
    seen: Vec<bool>,
}

impl States {
    fn new(steps: usize) -> Self {
        Self { list: Vec::with_capacity(steps + 1), seen: vec![false; steps + 1] }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.seen.fill(false);
    }

    fn has(&self, at: usize) -> bool {
        self.seen.get(at).copied().unwrap_or_default()
    }

    /// Enters a state, and those that it leads to without a character.
    fn enter(&mut self, at: usize, steps: &[Step]) {
        let mut pending = vec![at];
        while let Some(at) = pending.pop() {
            match self.seen.get_mut(at) {
                Some(seen) if !*seen => *seen = true,
                Some(_) | None => continue,
            }
            match steps.get(at) {
                Some(Step::Fork(other)) => pending.extend([at + 1, *other]),
                Some(Step::Jump(to)) => pending.push(*to),
                Some(Step::Star) => {
                    self.list.push(at);
                    pending.push(at + 1);
                }
                Some(Step::Any | Step::One(_) | Step::Set(_)) | None => self.list.push(at),
            }
        }
    }
}

/// A group whose end has not been read.
struct Open {
    /// Its first step: a fork for each alternative is put there at the end.
    start: usize,
    /// Where each alternative but the first begins.
    others: Vec<usize>,
}

fn compile(pattern: &[char]) -> Vec<Step> {
    // A parenthesis that is never closed, or never opened, is itself.
    let mut steps = Vec::new();
    let mut groups = vec![Open { start: 0, others: Vec::new() }];
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        at += 1;
        match c {
            '*' => steps.push(Step::Star),
            '?' => steps.push(Step::Any),
            '[' => match set(pattern.get(at..).unwrap_or_default()) {
                Some((set, used)) => {
                    steps.push(Step::Set(set));
                    at += used;
                }
                None => steps.push(Step::One('[')),
            },
            '(' if closes(pattern.get(at..).unwrap_or_default()) => {
                groups.push(Open { start: steps.len(), others: Vec::new() });
            }
            ')' if groups.len() > 1 => {
                if let Some(group) = groups.pop() {
                    close(&group, &mut steps);
                }
            }
            '|' => {
                if let Some(group) = groups.last_mut() {
                    // The jump over what follows; its place is set when the group is closed.
                    steps.push(Step::Jump(usize::MAX));
                    group.others.push(steps.len());
                }
            }
            c => steps.push(Step::One(*c)),
        }
    }
    if let Some(group) = groups.pop() {
        close(&group, &mut steps);
    }
    steps
}

/// Returns whether a group that begins here has its end.
fn closes(rest: &[char]) -> bool {
    let mut depth = 1_usize;
    for c in rest {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return true;
        }
    }
    false
}

/// Puts the forks before the alternatives of a group, and lets each end behind the group.
fn close(group: &Open, steps: &mut Vec<Step>) {
    let forks = group.others.len();
    if forks == 0 {
        return;
    }
    let moved = |at: usize| if at >= group.start { at + forks } else { at };
    let end = steps.len() + forks;
    for (at, step) in steps.iter_mut().enumerate().skip(group.start) {
        match step {
            Step::Jump(to) if group.others.contains(&(at + 1)) => *to = end,
            Step::Jump(to) | Step::Fork(to) => *to = moved(*to),
            Step::Any | Step::One(_) | Step::Set(_) | Step::Star => {}
        }
    }
    let forks: Vec<Step> = group.others.iter().rev().map(|at| Step::Fork(moved(*at))).collect();
    steps.splice(group.start..group.start, forks);
}

/// Reads the characters of `[…]`, and returns how many were used; `None` without its end.
fn set(rest: &[char]) -> Option<(Set, usize)> {
    let negated = matches!(rest.first(), Some('^' | '!'));
    let from = usize::from(negated);
    // A bracket that comes first is a member.
    let length = rest.iter().skip(from + 1).position(|c| *c == ']')? + 1;
    let mut members = rest.get(from..from + length)?.iter().copied();
    let mut ranges = Vec::new();
    while let Some(first) = members.next() {
        let mut ahead = members.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                ranges.push((first, last));
                members = ahead;
            }
            _ => ranges.push((first, first)),
        }
    }
    Some((Set { ranges, negated }, from + length + 1))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::{MAX_PATTERN, MAX_TEXT, matches};

    #[test]
    fn patterns_match_the_whole_text() {
        for (text, pattern, answer) in [
            ("http://home.netscape.com/people/ari/index.html", "*/ari/*", true),
            ("http://home.netscape.com/people/montulli/index.html", "*/ari/*", false),
            ("a.corp.test", "*.corp.test", true),
            ("corp.test", "*.corp.test", false),
            ("axcorp.test", "a.corp.test", false),
            ("abc", "a?c", true),
            ("ac", "a?c", false),
            ("", "", true),
            ("", "*", true),
            ("", "?", false),
            ("a", "", false),
            ("abcabc", "*abc", true),
            ("aXbXc", "a*b*c", true),
            ("a", "[abc]", true),
            ("d", "[abc]", false),
            ("d", "[^abc]", true),
            ("5", "[0-9]", true),
            ("]", "[]a]", true),
            ("-", "[a-]", true),
            ("[x", "[x", true),
            ("b.test", "(a|b).test", true),
            ("c.test", "(a|b).test", false),
            ("x.b.test", "(*.a|*.b).test", true),
            ("abd", "a(b|c)d", true),
            ("acd", "a(b|c)d", true),
            ("ad", "a(b|)d", true),
            ("axyd", "a(b|x(y|z))d", true),
            ("axzd", "a(b|x(y|z))d", true),
            ("abxd", "a((b|c)x|y)d", true),
            ("ayd", "a((b|c)x|y)d", true),
            ("acd", "a((b|c)x|y)d", false),
            ("www.b.com", "*.a.com|*.b.com", true),
            ("www.c.com", "*.a.com|*.b.com", false),
            ("(a", "(a", true),
            ("a)", "a)", true),
            ("a+b$", "a+b$", true),
            ("A", "a", false),
            ("é", "?", true),
        ] {
            assert_eq!(matches(text, pattern), Some(answer), "{text:?} {pattern:?}");
        }
    }

    #[test]
    fn no_pattern_takes_long_and_none_is_longer_than_the_limit() {
        let start = Instant::now();
        let pattern = "*a".repeat(MAX_PATTERN / 2 - 1) + "b";
        assert_eq!(matches(&"a".repeat(MAX_TEXT), &pattern), Some(false));
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
        assert_eq!(matches(&"a".repeat(MAX_TEXT + 1), "*"), None);
        assert_eq!(matches("a", &"*".repeat(MAX_PATTERN + 1)), None);
    }

    /// The same grammar without groups and sets, by trying every way.
    fn slow(text: &[char], pattern: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                slow(text, &pattern[1..]) || (!text.is_empty() && slow(&text[1..], pattern))
            }
            (None, Some(_)) | (Some(_), None) => false,
            (Some('?'), Some(_)) => slow(&text[1..], &pattern[1..]),
            (Some(p), Some(t)) => p == t && slow(&text[1..], &pattern[1..]),
        }
    }

    proptest! {
        #[test]
        fn stars_and_marks_match_as_by_trying_every_way(text in "[ab.]{0,12}", pattern in "[ab.?*]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&text, &pattern), Some(slow(&chars(&text), &chars(&pattern))));
        }

        #[test]
        fn alternatives_match_as_one_by_one(text in "[ab]{0,6}", one in "[ab?*]{0,4}", two in "[ab?*]{0,4}", tail in "[ab*]{0,2}") {
            let each = |middle: &str| matches(&text, &format!("{middle}{tail}")) == Some(true);
            let group = matches(&text, &format!("({one}|{two}){tail}"));
            prop_assert_eq!(group, Some(each(&one) || each(&two)));
        }

        #[test]
        fn no_pattern_panics(text in r"[ab]{0,9}", pattern in r"([()|\[\]^*?a-]|\PC){0,20}") {
            let _ = matches(&text, &pattern);
        }
    }
}
